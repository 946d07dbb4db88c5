import { hash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { HashLine } from './hash-line.ts';
import { DUMMY_HASH, verifyPassword } from './password.ts';
import { type KnownUser, type ReadUsers, UserCache } from './user-cache.ts';

export type { KnownUser } from './user-cache.ts';

/** One answer for an unknown user, a disabled one and a wrong password; `throttled`: not even looked at. */
export type Verdict =
  | { kind: 'ok'; username: string; role: string }
  | { kind: 'unauthenticated'; throttled: boolean };

export interface VerifierOptions {
  readUsers: ReadUsers;
  /** Milliseconds on a clock that never goes back. */
  now?: () => number;
  verify?: (storedHash: string, password: string) => Promise<boolean>;
  /** Verified credentials that are remembered at most, and users. */
  cacheSize?: number;
}

export interface Verifier {
  /** At once where the credentials are remembered, else later. Rejects when the users cannot be read. */
  check: (username: string, password: string) => Verdict | Promise<Verdict>;
  /** Reads every user remembered again; happens by itself every 20 s. Never rejects. */
  refresh: () => Promise<void>;
  stop: () => void;
}

const CACHE_SIZE = 10_000;
const REFRESH_MS = 20_000;
/** How long a right password is remembered after its last use. */
const VERIFIED_MS = 3_600_000;
/** How long a wrong password is remembered. */
const REFUSED_MS = 10_000;

const PASSWORD_MAX_BYTES = 1024;

/**
 * Verifies once with the slow hash, then remembers SHA-256(key of this process, user, password, stored hash): a
 * message costs microseconds, and a password that was changed or a user that was disabled no longer matches as soon
 * as the row is read again. The digest never leaves the process, so an HMAC, at four times the cost, would add nothing.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const {
    readUsers,
    now = () => performance.now(),
    verify = verifyPassword,
    cacheSize = CACHE_SIZE,
  } = options;
  const key = randomBytes(32).toString('base64');
  const users = new UserCache(readUsers, now, cacheSize);
  // Expiry by our own clock: the library's would be another one than the tests'.
  const verified = new LRUCache<string, { at: number }>({ max: cacheSize });
  const refused = new LRUCache<string, { at: number }>({ max: cacheSize });
  const line = new HashLine(verify);

  function macOf(username: string, password: string, storedHash: string): string {
    const text = `${key}${username.length}:${username}${password.length}:${password}${storedHash}`;
    return hash('sha256', text, 'base64');
  }

  function check(username: string, password: string): Verdict | Promise<Verdict> {
    if (Buffer.byteLength(password) > PASSWORD_MAX_BYTES)
      return { kind: 'unauthenticated', throttled: false };
    const user = users.get(username);
    return user instanceof Promise
      ? user.then((late) => judge(username, password, late))
      : judge(username, password, user);
  }

  /** An unknown or disabled user is measured against a hash that nothing matches, for the sake of time. */
  function judge(username: string, password: string, user: KnownUser | null): Verdict | Promise<Verdict> {
    const known = user?.active ? user : undefined;
    const storedHash = known?.passwordHash ?? DUMMY_HASH;
    const mac = macOf(username, password, storedHash);
    const verdict = (isRight: boolean): Verdict =>
      isRight && known
        ? { kind: 'ok', username, role: known.role }
        : { kind: 'unauthenticated', throttled: false };
    if (isRemembered(verified, mac, VERIFIED_MS)) {
      // Counted from the last use: a switch at work never waits for a hash again.
      verified.set(mac, { at: now() });
      return verdict(true);
    }
    if (isRemembered(refused, mac, REFUSED_MS)) return verdict(false);
    const place = line.join(username, mac, storedHash, password, known !== undefined);
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

  async function refresh(): Promise<void> {
    // A failure shows where it is handled: the rows grow stale, and the next check reads by itself.
    await users.refresh().catch(() => undefined);
  }

  const timer = setInterval(refresh, REFRESH_MS);
  timer.unref();
  return { check, refresh, stop: () => clearInterval(timer) };
}
