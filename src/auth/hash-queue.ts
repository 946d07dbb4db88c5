import { LRUCache } from 'lru-cache';
import { copied } from './copied.ts';

/** How many password checks may wait for their slow hash. */
export interface Places {
  /** Checks that are bound to fail, and are hashed only so that their timing reveals nothing. */
  guesses: number;
  /**
   * Passwords of users, the first of each not counted; twice as many for credentials that were set aside
   * before.
   */
  passwords: number;
}

/**
 * Most different passwords of one user that may wait; twice as many for credentials that were set aside
 * before.
 */
const PASSWORDS_PER_USER = 16;
/**
 * After each guess, guesses pause this many times as long as it took: a flood of them gets a quarter of a
 * core.
 */
const GUESS_PAUSE = 3;
/** Most credentials to remember that were set aside. */
const SET_ASIDE_MAX = 4096;
/** The queue shared by all guesses. No user has an empty name. */
const GUESSES = '';

/** Most bytes of messages that may wait for guesses, and for passwords (these up to twice). */
const WAITING_BYTES = 4_194_304;

/**
 * Of the prefetch, guesses may take 1/64 and passwords 1/16 (up to twice), or fewer if that many messages of
 * the largest size would take too much memory.
 */
export function hashPlaces(prefetch: number, maxBodyBytes: number): Places {
  const places = (share: number) => Math.ceil(Math.min(prefetch * share, WAITING_BYTES / maxBodyBytes));
  return { guesses: places(1 / 64), passwords: places(1 / 16) };
}

/** A password to hash, and everyone who waits for it. */
class Waiting {
  readonly key: string;
  readonly storedHash: string;
  readonly password: string;
  /** Checks that wait for it. */
  checks = 1;
  readonly isRight: Promise<boolean>;
  resolve: (isRight: boolean) => void = () => undefined;
  reject: (error: unknown) => void = () => undefined;

  constructor(key: string, storedHash: string, password: string) {
    this.key = key;
    this.storedHash = storedHash;
    this.password = copied(password);
    this.isRight = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** Passwords of one user that wait, the oldest first. */
interface UserQueue {
  entries: Waiting[];
  isOldestNext: boolean;
}

/**
 * Computes slow hashes one at a time: two at once were only a quarter faster, and took the core that batches
 * run on. Users take turns, so that a flood for one user delays another by one hash at most. All guesses
 * together count as one user, and pause after each hash. Of one user's passwords, the one that most checks
 * wait for and the oldest are taken in turn: a switch sends its password with every call, and so overtakes an
 * attacker who tries many. Every password that has a place gets its turn after at most `4 ×
 * PASSWORDS_PER_USER` turns of its user.
 */
export class HashQueue {
  readonly #verify: (storedHash: string, password: string) => Promise<boolean>;
  readonly #places: Places;
  readonly #now: () => number;
  /** By username, in the order of their turns. */
  readonly #queues = new Map<string, UserQueue>();
  /** By key, with those that are being hashed. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #setAside = new LRUCache<string, true>({ max: SET_ASIDE_MAX });
  /** Guesses that wait, counted by check. */
  #guesses = 0;
  /** Passwords in the queues of users. */
  #passwords = 0;
  #isWorking = false;
  #guessesPausedUntil = 0;
  #pauseTimer: NodeJS.Timeout | undefined;

  /** @param now monotonic milliseconds */
  constructor(
    verify: (storedHash: string, password: string) => Promise<boolean>,
    places: Places,
    now: () => number,
  ) {
    this.#verify = verify;
    this.#places = places;
    this.#now = now;
  }

  /** Hashes no more guesses after a pause. Those that wait stay unanswered. */
  stop(): void {
    clearTimeout(this.#pauseTimer);
  }

  /**
   * Whether there is no place for a user's password. There always is if the same one waits already, and for
   * the first of each user, so that with many users at once none is set aside. Credentials that were set aside
   * before have more places: an attacker who tries many passwords repeats none.
   *
   * @param key identifies the credentials
   */
  isFull(username: string, key: string): boolean {
    const waiting = this.#queues.get(username)?.entries.length ?? 0;
    if (waiting === 0 || this.#waiting.has(key)) return false;
    const times = this.#setAside.has(key) ? 2 : 1;
    const isFull = waiting >= times * PASSWORDS_PER_USER || this.#passwords >= times * this.#places.passwords;
    if (isFull) this.#setAside.set(key, true);
    return isFull;
  }

  /** Whether a user's password matches, when its turn has come. The same password waits once. */
  join(username: string, key: string, storedHash: string, password: string): Promise<boolean> {
    const same = this.#waiting.get(key);
    if (same === undefined) {
      this.#passwords += 1;
      return this.#add(username, key, storedHash, password);
    }
    same.checks += 1;
    return same.isRight;
  }

  /**
   * Takes as long as a hash.
   *
   * @returns null if too many guesses wait; the caller then refuses at once, as for every other guess
   */
  guess(key: string, storedHash: string, password: string): Promise<boolean> | null {
    if (this.#guesses >= this.#places.guesses) return null;
    this.#guesses += 1;
    const same = this.#waiting.get(key)?.isRight;
    return (same ?? this.#add(GUESSES, key, storedHash, password)).finally(() => {
      this.#guesses -= 1;
    });
  }

  #add(username: string, key: string, storedHash: string, password: string): Promise<boolean> {
    const entry = new Waiting(key, storedHash, password);
    this.#waiting.set(key, entry);
    const queue = this.#queues.get(username);
    if (queue === undefined) this.#queues.set(copied(username), { entries: [entry], isOldestNext: false });
    else queue.entries.push(entry);
    if (!this.#isWorking) void this.#work();
    return entry.isRight;
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const { isGuess, entry } = next;
      const began = this.#now();
      await this.#verify(entry.storedHash, entry.password).then(entry.resolve, entry.reject);
      this.#waiting.delete(entry.key);
      if (isGuess) this.#guessesPausedUntil = this.#now() + GUESS_PAUSE * (this.#now() - began);
    }
    this.#isWorking = false;
    if (this.#queues.has(GUESSES)) this.#workAfterPause();
  }

  #workAfterPause(): void {
    clearTimeout(this.#pauseTimer);
    this.#pauseTimer = setTimeout(
      () => {
        if (!this.#isWorking) void this.#work();
      },
      Math.max(0, this.#guessesPausedUntil - this.#now()),
    );
  }

  /** Takes an entry of the user whose turn it is; that user is last then. */
  #next(): { isGuess: boolean; entry: Waiting } | undefined {
    for (const [username, queue] of this.#queues) {
      const isGuess = username === GUESSES;
      if (isGuess && this.#now() < this.#guessesPausedUntil) continue;
      this.#queues.delete(username);
      const isOldest = isGuess || queue.isOldestNext;
      const [entry] = queue.entries.splice(isOldest ? 0 : mostWanted(queue.entries), 1);
      queue.isOldestNext = !queue.isOldestNext;
      if (queue.entries.length > 0) this.#queues.set(username, queue);
      if (entry === undefined) continue;
      if (!isGuess) this.#passwords -= 1;
      return { isGuess, entry };
    }
    return undefined;
  }
}

/** Index of the entry that most checks wait for; of several the oldest. */
function mostWanted(entries: readonly Waiting[]): number {
  let most = 0;
  entries.forEach(({ checks }, index) => {
    if (checks > (entries[most]?.checks ?? 0)) most = index;
  });
  return most;
}
