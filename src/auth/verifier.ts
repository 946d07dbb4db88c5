import { LRUCache } from 'lru-cache';
import type { Confinement } from '../domain/confinement.ts';
import { CredentialDigest } from './credential-digest.ts';
import { HashQueue, type Places } from './hash-queue.ts';
import { DUMMY_HASH, isUsableHash, verifyPassword } from './password.ts';
import { type KnownUser, type ReadUsers, UserCache } from './user-cache.ts';

export type { KnownUser } from './user-cache.ts';

/**
 * `unauthenticated`: an unknown user, a disabled one or a wrong password. `throttled`: refused without a
 * hash.
 */
export type AuthResult =
  | { kind: 'ok'; username: string; role: string; confinement?: Confinement | null }
  | { kind: 'unauthenticated'; throttled?: true };

/**
 * The password cannot be checked soon, because too many others wait, most of them for the same user. Its message must
 * not stay in hand: see `Consumer.setAside`.
 */
export interface SetAside {
  kind: 'set aside';
}

export interface VerifierOptions {
  readUsers: ReadUsers;
  /** Monotonic milliseconds. */
  now?: () => number;
  verify?: (storedHash: string, password: string) => Promise<boolean>;
  /** Most entries of each cache: right passwords, wrong ones, users and unknown names. */
  cacheSize?: number;
  places?: Places;
  /** Called once for an active user whose stored hash is unusable. */
  onUnusable?: (username: string) => void;
}

export interface Verifier {
  /**
   * Not a promise if the credentials are remembered. An active user's password waits for its turn, however
   * many wait. Rejects when the users cannot be read.
   */
  check: (username: string, password: string) => AuthResult | Promise<AuthResult>;
  /** The same, but `set aside` if an active user's password would wait behind too many others. */
  checkSoon: (username: string, password: string) => AuthResult | SetAside | Promise<AuthResult | SetAside>;
  /**
   * As `check`, for a message that was set aside. Guesses are refused at once: after its wait, timing reveals
   * nothing.
   */
  checkLate: (username: string, password: string) => AuthResult | Promise<AuthResult>;
  /**
   * A user whose sender the broker answers for: no password is looked at. Not a promise if the user was read recently.
   * Rejects when the users cannot be read.
   */
  identify: (username: string) => AuthResult | Promise<AuthResult>;
  /** Reads all remembered users again; runs by itself every 20 s. Never rejects. */
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
/** In UTF-16 units: a name has at most 255 code points. */
const USERNAME_MAX_LENGTH = 510;
const PLACES: Places = { guesses: 100, passwords: 200 };

const REFUSED: AuthResult = { kind: 'unauthenticated' };
const THROTTLED: AuthResult = { kind: 'unauthenticated', throttled: true };
const SET_ASIDE: SetAside = { kind: 'set aside' };

/** What to return at once instead of waiting for a hash. */
interface Shortcuts<Full extends SetAside> {
  /** If an active user's queue is full; without it the password waits all the same. */
  whenFull?: Full;
  /** For a guess; without it a guess takes as long as a hash, if there is a place. */
  guess?: AuthResult;
}

const NO_SHORTCUTS: Shortcuts<never> = {};
const SOON: Shortcuts<SetAside> = { whenFull: SET_ASIDE };
const LATE: Shortcuts<never> = { guess: REFUSED };

/** A user's right password, as verified by a slow hash. */
interface Proof {
  storedHash: string;
  digest: string;
  /** Last use. */
  at: number;
}

/**
 * Verifies a password once with the slow hash, then remembers SHA-256(random key, user, password, stored
 * hash). After that a message costs microseconds, and a changed password or a disabled user fails as soon as
 * the row is read again.
 *
 * A *guess* is bound to fail: an unknown or disabled user, or a password other than the remembered right one.
 * While there are few, guesses are hashed all the same, so that timing does not reveal which users exist. In
 * a flood the others are refused at once. A password that could be right is always checked. See
 * docs/decisions/0004-credentials-in-every-message.md.
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
  const digests = new CredentialDigest();
  const users = new UserCache(readUsers, now, cacheSize);
  // Entries expire by `now`, not by the clock of the library, which tests cannot set.
  const proofs = new LRUCache<string, Proof>({ max: cacheSize });
  const refused = new LRUCache<string, { at: number }>({ max: cacheSize });
  const queue = new HashQueue(verify, places, now);

  function checkBy<Full extends SetAside>(
    username: string,
    password: string,
    shortcuts: Shortcuts<Full>,
  ): AuthResult | Full | Promise<AuthResult | Full> {
    if (Buffer.byteLength(password) > PASSWORD_MAX_BYTES || username.length > USERNAME_MAX_LENGTH)
      return REFUSED;
    const user = users.get(username);
    return user instanceof Promise
      ? user.then((late) => judge(username, password, late, shortcuts))
      : judge(username, password, user, shortcuts);
  }

  function judge<Full extends SetAside>(
    username: string,
    password: string,
    user: KnownUser | null,
    shortcuts: Shortcuts<Full>,
  ): AuthResult | Full | Promise<AuthResult> {
    const active = user?.active ? user : undefined;
    const storedHash = active?.passwordHash ?? DUMMY_HASH;
    const digest = digests.of(username, password, storedHash);
    const proof = active && proofOf(username, storedHash);
    if (active && proof?.digest === digest && now() - proof.at < VERIFIED_MS) {
      // Expires after its last use, so an active switch never waits for a hash again.
      proof.at = now();
      return accepted(active);
    }
    return judgeSlowly(username, password, active, digest, proof, shortcuts);
  }

  /** What no remembered password has shown. Apart, so that what it keeps for later is not made for each message. */
  function judgeSlowly<Full extends SetAside>(
    username: string,
    password: string,
    active: KnownUser | undefined,
    digest: string,
    proof: Proof | undefined,
    { whenFull, guess }: Shortcuts<Full>,
  ): AuthResult | Full | Promise<AuthResult> {
    const storedHash = active?.passwordHash ?? DUMMY_HASH;
    const refusal = refused.get(digest);
    if (refusal !== undefined && now() - refusal.at < REFUSED_MS) return REFUSED;
    const conclude = (isRight: boolean) => remember(active, digest, isRight);
    // An unknown or disabled user, or a password other than the one that is known to be right.
    const isGuess = active === undefined || (proof !== undefined && proof.digest !== digest);
    if (isGuess) {
      return guess ?? queue.guess(digest, storedHash, password)?.then(conclude) ?? THROTTLED;
    }
    reportUnusable(active);
    if (whenFull !== undefined && queue.isFull(username, digest)) return whenFull;
    return queue.join(username, digest, storedHash, password).then(conclude);
  }

  function reportUnusable({ username, passwordHash }: KnownUser): void {
    if (isUsableHash(passwordHash) || unusable.get(username) === passwordHash) return;
    unusable.set(username, passwordHash);
    onUnusable(username);
  }

  /** Remembers what a slow hash has shown. Without an active user not even the right password counts. */
  function remember(active: KnownUser | undefined, digest: string, isRight: boolean): AuthResult {
    if (!isRight || active === undefined) {
      refused.set(digest, { at: now() });
      return REFUSED;
    }
    proofs.set(active.username, { storedHash: active.passwordHash, digest, at: now() });
    return accepted(active);
  }

  function proofOf(username: string, storedHash: string): Proof | undefined {
    const proof = proofs.get(username);
    return proof?.storedHash === storedHash ? proof : undefined;
  }

  async function refresh(): Promise<void> {
    // If this fails the rows expire, and the next check reads them and reports the error.
    await users.refresh().catch(() => undefined);
  }

  const timer = setInterval(refresh, REFRESH_MS);
  timer.unref();
  return {
    check: (username, password) => checkBy<never>(username, password, NO_SHORTCUTS),
    checkSoon: (username, password) => checkBy(username, password, SOON),
    checkLate: (username, password) => checkBy<never>(username, password, LATE),
    identify: (username) => {
      const user = users.get(username);
      return user instanceof Promise ? user.then(acceptedIfActive) : acceptedIfActive(user);
    },
    refresh,
    stop: () => {
      clearInterval(timer);
      queue.stop();
    },
  };
}

function acceptedIfActive(user: KnownUser | null): AuthResult {
  return user?.active ? accepted(user) : REFUSED;
}

function accepted({ username, role, confinement }: KnownUser): AuthResult {
  return { kind: 'ok', username, role, confinement };
}
