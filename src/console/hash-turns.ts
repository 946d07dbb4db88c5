/** Slow hashes at once: each takes 19 MiB and a core. */
const AT_ONCE = 2;
const WAITING = 64;
const WAITING_PER_ADDRESS = 5;

/**
 * Slow work, a little at a time, addresses in turn; who was here before goes first, and finds room when strangers have
 * taken all of it.
 */
export class HashTurns {
  #running = 0;
  #waitingStrangers = 0;
  readonly #known: (() => void)[] = [];
  /** By address; the order of the map is the order of turns. */
  readonly #strangers = new Map<string, (() => void)[]>();

  /** Does the work when its turn has come; null where there is no room to wait. */
  async run<Result>(address: string, isKnown: boolean, work: () => Promise<Result>): Promise<Result | null> {
    if (this.#running >= AT_ONCE) {
      const turn = this.#line(address, isKnown);
      if (turn === null) return null;
      await turn;
    } else this.#running += 1;
    try {
      return await work();
    } finally {
      // The place goes to the next at once, so that nobody who comes now slips in before.
      const next = this.#next();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  #line(address: string, isKnown: boolean): Promise<void> | null {
    if (isKnown) return new Promise((resolve) => this.#known.push(resolve));
    const line = this.#strangers.get(address) ?? [];
    if (this.#waitingStrangers >= WAITING || line.length >= WAITING_PER_ADDRESS) return null;
    this.#waitingStrangers += 1;
    this.#strangers.set(address, line);
    return new Promise((resolve) => line.push(resolve));
  }

  #next(): (() => void) | undefined {
    const known = this.#known.shift();
    if (known !== undefined) return known;
    for (const [address, line] of this.#strangers) {
      this.#strangers.delete(address);
      const next = line.shift();
      if (line.length > 0) this.#strangers.set(address, line);
      if (next === undefined) continue;
      this.#waitingStrangers -= 1;
      return next;
    }
    return undefined;
  }
}
