import { LRUCache } from 'lru-cache';
import { copied } from './copied.ts';

/** Distinct passwords of one user that may wait for their hash; and so many more that have come before. */
const PASSWORDS_PER_USER = 16;
/** Credentials without a place that are remembered, to be known when they come again. */
const TURNED_AWAY = 4096;
/** The line of all guesses; the empty name is no user's. */
const GUESSES = '';

/** How many may wait. */
export interface Places {
  /** Checks whose answer is no anyhow, and which are hashed for the sake of time alone. */
  guesses: number;
  /** Passwords of users beyond the first of each; and so many more that have come before. */
  passwords: number;
}

/** Bytes of messages that the guesses may keep in hand, and as many the passwords, twice at most. */
const WAITING_BYTES = 4_194_304;

/**
 * Of the deliveries that may be in hand a sixteenth for guesses, and as many, twice at most, for what could be right;
 * fewer where so many of the largest messages would fill the memory that deliveries have.
 */
export function hashPlaces(prefetch: number, maxBodyBytes: number): Places {
  const places = Math.ceil(Math.min(prefetch / 16, WAITING_BYTES / maxBodyBytes));
  return { guesses: places, passwords: places };
}

/** Credentials that wait, with everybody who asked for them. */
class Waiting {
  readonly key: string;
  readonly storedHash: string;
  readonly password: string;
  /** Checks that wait for it. */
  asked = 1;
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

/** What waits of one user, from the oldest on. */
interface Line {
  entries: Waiting[];
  isOldestNext: boolean;
}

/**
 * Slow hashes, one at a time: a second thread would take the core that the batches run on, and was measured to do a
 * quarter more. Users take turns, and all guesses together are one user more, so that no storm delays another user's
 * turn by more than one hash. Of one user's passwords that which most checks wait for and that which waits longest are
 * taken in turn: a switch repeats its password with every call and overtakes whoever tries many, and a password
 * that has a place is looked at after at most `4 × PASSWORDS_PER_USER` turns of its user, whatever else comes.
 */
export class HashLine {
  readonly #verify: (storedHash: string, password: string) => Promise<boolean>;
  readonly #places: Places;
  /** By username; the order of the map is the order of turns. */
  readonly #lines = new Map<string, Line>();
  /** By key, those under way included. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #turnedAway = new LRUCache<string, true>({ max: TURNED_AWAY });
  /** Checks that are guesses and wait. */
  #guesses = 0;
  /** Passwords in the lines of users. */
  #passwords = 0;
  #isWorking = false;

  constructor(verify: (storedHash: string, password: string) => Promise<boolean>, places: Places) {
    this.#verify = verify;
    this.#places = places;
  }

  /**
   * Whether a user's password would have to wait behind too many others. It does not where it waits already; and where
   * all places are taken each user still has one: that many users come at once is no reason to send anybody away.
   * Some places are kept for what was sent away before, since somebody who tries many passwords repeats none.
   *
   * @param key the same for the same credentials
   */
  isFull(username: string, key: string): boolean {
    const waiting = this.#lines.get(username)?.entries.length ?? 0;
    if (waiting === 0 || this.#waiting.has(key)) return false;
    const times = this.#turnedAway.has(key) ? 2 : 1;
    const isFull = waiting >= times * PASSWORDS_PER_USER || this.#passwords >= times * this.#places.passwords;
    if (isFull) this.#turnedAway.set(key, true);
    return isFull;
  }

  /** Whether a user's password matches, when its turn has come. The same password waits once. */
  join(username: string, key: string, storedHash: string, password: string): Promise<boolean> {
    const same = this.#waiting.get(key);
    if (same === undefined) {
      this.#passwords += 1;
      return this.#enter(username, key, storedHash, password);
    }
    same.asked += 1;
    return same.isRight;
  }

  /**
   * Resolves after as long as a hash takes.
   *
   * @returns null where there are too many guesses, which tells nobody anything
   */
  guess(key: string, storedHash: string, password: string): Promise<boolean> | null {
    if (this.#guesses >= this.#places.guesses) return null;
    this.#guesses += 1;
    const same = this.#waiting.get(key)?.isRight;
    return (same ?? this.#enter(GUESSES, key, storedHash, password)).finally(() => {
      this.#guesses -= 1;
    });
  }

  #enter(line: string, key: string, storedHash: string, password: string): Promise<boolean> {
    const entry = new Waiting(key, storedHash, password);
    this.#waiting.set(key, entry);
    const others = this.#lines.get(line);
    if (others === undefined) this.#lines.set(copied(line), { entries: [entry], isOldestNext: false });
    else others.entries.push(entry);
    if (!this.#isWorking) void this.#work();
    return entry.isRight;
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const { key, storedHash, password, resolve, reject } = next;
      await this.#verify(storedHash, password).then(resolve, reject);
      this.#waiting.delete(key);
    }
    this.#isWorking = false;
  }

  /** Of the line whose turn it is; that line goes to the end. */
  #next(): Waiting | undefined {
    for (const [name, line] of this.#lines) {
      this.#lines.delete(name);
      const isOldest = name === GUESSES || line.isOldestNext;
      const [next] = line.entries.splice(isOldest ? 0 : mostAsked(line.entries), 1);
      line.isOldestNext = !line.isOldestNext;
      if (line.entries.length > 0) this.#lines.set(name, line);
      if (next !== undefined && name !== GUESSES) this.#passwords -= 1;
      if (next !== undefined) return next;
    }
    return undefined;
  }
}

/** Where the one stands that most checks wait for; of several the one that waits longest. */
function mostAsked(line: readonly Waiting[]): number {
  let most = 0;
  line.forEach(({ asked }, index) => {
    if (asked > (line[most]?.asked ?? 0)) most = index;
  });
  return most;
}
