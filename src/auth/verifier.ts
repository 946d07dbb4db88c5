import { hash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Confinement } from '../domain/confinement.ts';
import { HashQueue, type Places } from './hash-queue.ts';
import { DUMMY_HASH, isUsableHash, verifyPassword } from './password.ts';
import { type KnownUser, type ReadUsers, UserCache } from './user-cache.ts';

export type { KnownUser } from './user-cache.ts';

/** One answer for an unknown user, a disabled one and a wrong password; `throttled`: no hash was computed for it. */
export type Verdict =
  | { kind: 'ok'; username: string; role: string; confinement: Confinement | null }
  | { kind: 'unauthenticated'; throttled: boolean };

/** A user's password that cannot be looked at soon: others that were given for the same user fill its line. */
export interface Crowded {
  kind: 'crowded';
}

export interface VerifierOptions {
  readUsers: ReadUsers;
  /** Milliseconds on a clock that never goes back. */
  now?: () => number;
  verify?: (storedHash: string, password: string) => Promise<boolean>;
  /** Users whose right password is remembered at most, wrong passwords, and names of users and of nobody. */
  cacheSize?: number;
  places?: Places;
  /** Is told of an active user whose stored hash is none that can be compared with, once. */
  onUnusable?: (username: string) => void;
}

export interface Verifier {
  /**
   * At once where the credentials are remembered, else later: an active user's password takes its turn however many
   * wait. Rejects when the users cannot be read.
   */
  check: (username: string, password: string) => Verdict | Promise<Verdict>;
  /** The same, but `crowded` where an active user's password would wait behind too many others. */
  checkSoon: (username: string, password: string) => Verdict | Crowded | Promise<Verdict | Crowded>;
  /** The same as `check` for a message that was set aside: it has waited too long for time to tell anything. */
  checkLate: (username: string, password: string) => Verdict | Promise<Verdict>;
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
/** No user has a longer name: 255 code points, which are at most so many UTF-16 units. */
const USERNAME_MAX_LENGTH = 510;
const PLACES: Places = { guesses: 100, passwords: 200 };

const REFUSED: Verdict = { kind: 'unauthenticated', throttled: false };
const THROTTLED: Verdict = { kind: 'unauthenticated', throttled: true };
const CROWDED: Crowded = { kind: 'crowded' };

/** What is said at once instead of waiting. */
interface Answers<Full extends Crowded> {
  /** Where an active user's line is full; without it a password takes its turn in any case. */
  crowded?: Full;
  /** To a guess; without it one waits as long as a hash takes, where there is a place. */
  guess?: Verdict;
}

/** The password of a user that a hash has proved right. */
interface Proof {
  storedHash: string;
  mac: string;
  /** When it was used last. */
  at: number;
}

/**
 * Verifies once with the slow hash, then remembers SHA-256(key of this process, user, password, stored hash): a
 * message costs microseconds, and a password that was changed or a user that was disabled no longer matches as soon
 * as the row is read again. The digest never leaves the process, so an HMAC, at four times the cost, would add nothing.
 *
 * Where the right password is known every other one is wrong, and needs no hash. Such guesses, and those of unknown and
 * disabled users, are hashed all the same while there are few, so that time does not tell which users exist; of a
 * storm the rest is refused at once, and nobody is refused who could be right.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const {
    readUsers,
    now = () => performance.now(),
    verify = verifyPassword,
    cacheSize = CACHE_SIZE,
    places = PLACES,
    onUnusable = () => undefined,
  } = options;
  const unusable = new LRUCache<string, string>({ max: cacheSize });
  const key = randomBytes(32).toString('base64');
  const users = new UserCache(readUsers, now, cacheSize);
  // Expiry by our own clock: the library's would be another one than the tests'.
  const proofs = new LRUCache<string, Proof>({ max: cacheSize });
  const refused = new LRUCache<string, { at: number }>({ max: cacheSize });
  const line = new HashQueue(verify, places, now);

  function macOf(username: string, password: string, storedHash: string): string {
    const text = `${key}${username.length}:${username}${password.length}:${password}${storedHash}`;
    return hash('sha256', text, 'base64');
  }

  function look<Full extends Crowded>(
    username: string,
    password: string,
    answers: Answers<Full>,
  ): Verdict | Full | Promise<Verdict | Full> {
    if (Buffer.byteLength(password) > PASSWORD_MAX_BYTES || username.length > USERNAME_MAX_LENGTH)
      return REFUSED;
    const user = users.get(username);
    return user instanceof Promise
      ? user.then((late) => judge(username, password, late, answers))
      : judge(username, password, user, answers);
  }

  function judge<Full extends Crowded>(
    username: string,
    password: string,
    user: KnownUser | null,
    { crowded, guess }: Answers<Full>,
  ): Verdict | Full | Promise<Verdict> {
    const known = user?.active ? user : undefined;
    const storedHash = known?.passwordHash ?? DUMMY_HASH;
    const mac = macOf(username, password, storedHash);
    const proof = known && proofOf(username, storedHash);
    if (known && proof?.mac === mac && now() - proof.at < VERIFIED_MS) {
      // Counted from the last use: a switch at work never waits for a hash again.
      proof.at = now();
      return accepted(known);
    }
    const lately = refused.get(mac);
    if (lately !== undefined && now() - lately.at < REFUSED_MS) return REFUSED;
    if (known === undefined || (proof !== undefined && proof.mac !== mac)) {
      if (guess !== undefined) return guess;
      const place = line.guess(mac, storedHash, password);
      return place?.then((isRight) => concluded(known, mac, isRight)) ?? THROTTLED;
    }
    tellUnusable(known);
    if (crowded !== undefined && line.isFull(username, mac)) return crowded;
    return line.join(username, mac, storedHash, password).then((isRight) => concluded(known, mac, isRight));
  }

  function tellUnusable({ username, passwordHash }: KnownUser): void {
    if (isUsableHash(passwordHash) || unusable.get(username) === passwordHash) return;
    unusable.set(username, passwordHash);
    onUnusable(username);
  }

  function concluded(known: KnownUser | undefined, mac: string, isRight: boolean): Verdict {
    if (!isRight || known === undefined) {
      refused.set(mac, { at: now() });
      return REFUSED;
    }
    proofs.set(known.username, { storedHash: known.passwordHash, mac, at: now() });
    return accepted(known);
  }

  function proofOf(username: string, storedHash: string): Proof | undefined {
    const proof = proofs.get(username);
    return proof?.storedHash === storedHash ? proof : undefined;
  }

  async function refresh(): Promise<void> {
    // A failure shows where it is handled: the rows grow stale, and the next check reads by itself.
    await users.refresh().catch(() => undefined);
  }

  const timer = setInterval(refresh, REFRESH_MS);
  timer.unref();
  return {
    check: (username, password) => look<never>(username, password, {}),
    checkSoon: (username, password) => look(username, password, { crowded: CROWDED }),
    checkLate: (username, password) => look<never>(username, password, { guess: REFUSED }),
    refresh,
    stop: () => {
      clearInterval(timer);
      line.stop();
    },
  };
}

function accepted({ username, role, confinement }: KnownUser): Verdict {
  return { kind: 'ok', username, role, confinement };
}
