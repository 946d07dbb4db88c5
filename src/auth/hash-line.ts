/** Distinct passwords of one user that may wait for their hash. */
const WAITING_PER_USER = 100;
/** Of all users together. */
const WAITING = 2000;
/** Of those who are nobody's: a storm of invented names leaves room for real ones. */
const WAITING_UNKNOWN = 1000;

interface Waiting {
  storedHash: string;
  password: string;
  resolve: (isRight: boolean) => void;
  reject: (error: unknown) => void;
}

/**
 * Slow hashes, one at a time, users in turn: a storm of wrong passwords against one user delays no other, and
 * never takes more than one thread. Lines have a length; who does not fit in is turned away.
 */
export class HashLine {
  readonly #verify: (storedHash: string, password: string) => Promise<boolean>;
  /** Lines by username; the order of the map is the order of turns. */
  readonly #lines = new Map<string, Waiting[]>();
  readonly #inLine = new Map<string, Promise<boolean>>();
  #isWorking = false;

  constructor(verify: (storedHash: string, password: string) => Promise<boolean>) {
    this.#verify = verify;
  }

  /**
   * Whether the password matches, when its turn has come. The same credentials wait once.
   *
   * @param key the same for the same credentials
   * @param isKnown whether the hash is a user's
   * @returns null where the line is full
   */
  join(
    username: string,
    key: string,
    storedHash: string,
    password: string,
    isKnown: boolean,
  ): Promise<boolean> | null {
    const same = this.#inLine.get(key);
    if (same !== undefined) return same;
    const line = this.#lines.get(username) ?? [];
    const places = isKnown ? WAITING : WAITING_UNKNOWN;
    if (line.length >= WAITING_PER_USER || this.#inLine.size >= places) return null;
    const place = new Promise<boolean>((resolve, reject) => {
      line.push({ storedHash, password, resolve, reject });
    }).finally(() => this.#inLine.delete(key));
    this.#lines.set(username, line);
    this.#inLine.set(key, place);
    if (!this.#isWorking) void this.#work();
    return place;
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      await this.#verify(next.storedHash, next.password).then(next.resolve, next.reject);
    }
    this.#isWorking = false;
  }

  /** The first of the line whose turn it is; that line goes to the end. */
  #next(): Waiting | undefined {
    for (const [username, line] of this.#lines) {
      this.#lines.delete(username);
      const next = line.shift();
      if (line.length > 0) this.#lines.set(username, line);
      if (next !== undefined) return next;
    }
    return undefined;
  }
}
