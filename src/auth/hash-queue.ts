import { LRUCache } from 'lru-cache';
import { copied } from './copied.ts';

/** Distinct passwords of one user that may wait for their hash; and so many more that have come before. */
const PASSWORDS_PER_USER = 16;
/** After a guess the next one waits so many times as long as it took: in a storm a quarter of a core is enough for them. */
const REST = 3;
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
 * Of the deliveries that may be in hand one in 64 for guesses, which rest in between, and one in 16, twice at most, for what
 * could be right; fewer where so many of the largest messages would fill the memory that deliveries have.
 */
export function hashPlaces(prefetch: number, maxBodyBytes: number): Places {
  const places = (share: number) => Math.ceil(Math.min(prefetch * share, WAITING_BYTES / maxBodyBytes));
  return { guesses: places(1 / 64), passwords: places(1 / 16) };
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
 * turn by more than one hash, and guesses rest after each. Of one user's passwords that which most checks wait for and that which waits longest are
 * taken in turn: a switch repeats its password with every call and overtakes whoever tries many, and a password
 * that has a place is looked at after at most `4 × PASSWORDS_PER_USER` turns of its user, whatever else comes.
 */
export class HashQueue {
  readonly #verify: (storedHash: string, password: string) => Promise<boolean>;
  readonly #places: Places;
  readonly #now: () => number;
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
  /** No guess is hashed before. */
  #guessesRestUntil = 0;
  #resting: NodeJS.Timeout | undefined;

  /** @param now milliseconds on a clock that never goes back */
  constructor(
    verify: (storedHash: string, password: string) => Promise<boolean>,
    places: Places,
    now: () => number,
  ) {
    this.#verify = verify;
    this.#places = places;
    this.#now = now;
  }

  /** Hashes no more guesses that wait; nobody may wait for an answer any more. */
  stop(): void {
    clearTimeout(this.#resting);
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
      const { line, entry } = next;
      const began = this.#now();
      await this.#verify(entry.storedHash, entry.password).then(entry.resolve, entry.reject);
      this.#waiting.delete(entry.key);
      if (line === GUESSES) this.#guessesRestUntil = this.#now() + REST * (this.#now() - began);
    }
    this.#isWorking = false;
    if (this.#lines.has(GUESSES)) this.#rest();
  }

  #rest(): void {
    clearTimeout(this.#resting);
    this.#resting = setTimeout(
      () => {
        if (!this.#isWorking) void this.#work();
      },
      Math.max(0, this.#guessesRestUntil - this.#now()),
    );
  }

  /** Of the line whose turn it is; that line goes to the end. */
  #next(): { line: string; entry: Waiting } | undefined {
    for (const [name, line] of this.#lines) {
      const isGuess = name === GUESSES;
      if (isGuess && this.#now() < this.#guessesRestUntil) continue;
      this.#lines.delete(name);
      const isOldest = isGuess || line.isOldestNext;
      const [entry] = line.entries.splice(isOldest ? 0 : mostAsked(line.entries), 1);
      line.isOldestNext = !line.isOldestNext;
      if (line.entries.length > 0) this.#lines.set(name, line);
      if (entry === undefined) continue;
      if (!isGuess) this.#passwords -= 1;
      return { line: name, entry };
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
