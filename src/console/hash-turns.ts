/** Password hashes that are computed at once: each takes 19 MiB and a core. */
const AT_ONCE = 2;
const WAITING = 64;
const WAITING_PER_ADDRESS = 5;

/**
 * Limits the password hashes that are computed at once. Addresses take turns. Those from which the user has signed in
 * before go first and always find room, however many others wait.
 */
export class HashTurns {
  #running = 0;
  #waitingStrangers = 0;
  readonly #known: (() => void)[] = [];
  /** By address; the order of the map is the order of turns. */
  readonly #strangers = new Map<string, (() => void)[]>();

  /** Does the work when its turn comes; null if there is no room to wait. */
  async run<Result>(address: string, isKnown: boolean, work: () => Promise<Result>): Promise<Result | null> {
    if (this.#running >= AT_ONCE) {
      const turn = this.#wait(address, isKnown);
      if (turn === null) return null;
      await turn;
    } else this.#running += 1;
    try {
      return await work();
    } finally {
      // The place is handed over, so that a newcomer cannot take it before the one that waits.
      const next = this.#next();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  #wait(address: string, isKnown: boolean): Promise<void> | null {
    if (isKnown) return new Promise((resolve) => this.#known.push(resolve));
    const queue = this.#strangers.get(address) ?? [];
    if (this.#waitingStrangers >= WAITING || queue.length >= WAITING_PER_ADDRESS) return null;
    this.#waitingStrangers += 1;
    this.#strangers.set(address, queue);
    return new Promise((resolve) => queue.push(resolve));
  }

  #next(): (() => void) | undefined {
    const known = this.#known.shift();
    if (known !== undefined) return known;
    for (const [address, queue] of this.#strangers) {
      this.#strangers.delete(address);
      const next = queue.shift();
      if (queue.length > 0) this.#strangers.set(address, queue);
      if (next === undefined) continue;
      this.#waitingStrangers -= 1;
      return next;
    }
    return undefined;
  }
}
