import { createHmac, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { HashLine } from './hash-line.ts';
import { DUMMY_HASH, verifyPassword } from './password.ts';

/** A user as stored; `passwordHash` is what `hashPassword` made. */
export interface KnownUser {
  username: string;
  passwordHash: string;
  role: string;
  active: boolean;
}

/** One answer for an unknown user, a disabled one and a wrong password; `throttled`: not even looked at. */
export type Verdict =
  | { kind: 'ok'; username: string; role: string }
  | { kind: 'unauthenticated'; throttled: boolean };

export interface VerifierOptions {
  /** Rejects with what the database rejects with. */
  readUsers: (usernames: readonly string[]) => Promise<ReadonlyMap<string, KnownUser>>;
  /** Milliseconds on a clock that never goes back. */
  now?: () => number;
  verify?: (storedHash: string, password: string) => Promise<boolean>;
  /** Verified credentials that are remembered at most, and users. */
  cacheSize?: number;
}

export interface Verifier {
  /** At once where the credentials are remembered, else later. Rejects when the users cannot be read. */
  check: (username: string, password: string) => Verdict | Promise<Verdict>;
  /** Reads every remembered user again; happens by itself every 20 s. Never rejects. */
  refresh: () => Promise<void>;
  stop: () => void;
}

const CACHE_SIZE = 10_000;
const REFRESH_MS = 20_000;
/** A row older than this is read again before it counts: a change is noticed within 60 s even if refreshing fails. */
const STALE_MS = 50_000;
const VERIFIED_MS = 3_600_000;
/** How long a wrong password or an unknown user is remembered. */
const REFUSED_MS = 10_000;

const PASSWORD_MAX_BYTES = 1024;

interface Row {
  user: KnownUser | undefined;
  readAt: number;
}

/**
 * Verifies once with the slow hash, then remembers HMAC-SHA256(key of this process, user, password, stored hash):
 * a message costs microseconds, and a password that was changed or a user that was disabled no longer matches
 * as soon as the row is read again.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const {
    readUsers,
    now = () => performance.now(),
    verify = verifyPassword,
    cacheSize = CACHE_SIZE,
  } = options;
  const key = randomBytes(32);
  const rows = new LRUCache<string, Row>({ max: cacheSize });
  const reading = new Map<string, Promise<Row>>();
  // Expiry by our own clock: the library's would be another one than the tests'.
  const verified = new LRUCache<string, { at: number }>({ max: cacheSize });
  const refused = new LRUCache<string, { at: number }>({ max: cacheSize });
  const line = new HashLine(verify);

  function macOf(username: string, password: string, storedHash: string): string {
    const text = `${username.length}:${username}${password.length}:${password}${storedHash}`;
    return createHmac('sha256', key).update(text).digest('base64');
  }

  function isFresh({ user, readAt }: Row): boolean {
    return now() - readAt < (user === undefined ? REFUSED_MS : STALE_MS);
  }

  function check(username: string, password: string): Verdict | Promise<Verdict> {
    if (Buffer.byteLength(password) > PASSWORD_MAX_BYTES)
      return { kind: 'unauthenticated', throttled: false };
    const row = rows.get(username);
    if (row !== undefined && isFresh(row)) return judge(username, password, row);
    return read(username).then((fresh) => judge(username, password, fresh));
  }

  /** An unknown or disabled user is measured against a hash that nothing matches, for the sake of time. */
  function judge(username: string, password: string, { user }: Row): Verdict | Promise<Verdict> {
    const known = user?.active ? user : undefined;
    const storedHash = known?.passwordHash ?? DUMMY_HASH;
    const mac = macOf(username, password, storedHash);
    const verdict = (isRight: boolean): Verdict =>
      isRight && known
        ? { kind: 'ok', username, role: known.role }
        : { kind: 'unauthenticated', throttled: false };
    if (isRemembered(verified, mac, VERIFIED_MS)) return verdict(true);
    if (isRemembered(refused, mac, REFUSED_MS)) return verdict(false);
    const place = line.join(username, mac, storedHash, password);
    if (place === null) return { kind: 'unauthenticated', throttled: true };
    return place.then((isRight) => {
      (isRight ? verified : refused).set(mac, { at: now() });
      return verdict(isRight);
    });
  }

  function isRemembered(cache: LRUCache<string, { at: number }>, mac: string, forMs: number): boolean {
    const entry = cache.get(mac);
    return entry !== undefined && now() - entry.at < forMs;
  }

  /** One query at a time for the same user. */
  function read(username: string): Promise<Row> {
    const under = reading.get(username);
    if (under !== undefined) return under;
    const readAt = now();
    const row = readUsers([username])
      .then((users) => {
        const found: Row = { user: users.get(username), readAt };
        rows.set(username, found);
        return found;
      })
      .finally(() => reading.delete(username));
    reading.set(username, row);
    return row;
  }

  async function refresh(): Promise<void> {
    const usernames = [...rows.keys()];
    if (usernames.length === 0) return;
    const readAt = now();
    try {
      const users = await readUsers(usernames);
      for (const username of usernames) rows.set(username, { user: users.get(username), readAt });
    } catch {
      // The rows grow stale, and the next check reads by itself and meets the error where it is handled.
    }
  }

  const timer = setInterval(refresh, REFRESH_MS);
  timer.unref();
  return { check, refresh, stop: () => clearInterval(timer) };
}
