/** How long what the broker refuses is not tried again. */
const AGAIN_MS = 30_000;

/**
 * Whether the broker lets this user publish to an exchange, by what it said last. A refusal closes the channel, so it
 * is not asked again with every reply, but now and then with one.
 */
export class ExchangeLeave {
  readonly #onChange: (isRefused: boolean, detail: string) => void;
  readonly #now: () => number;
  #askAgainAt: number | null = null;

  /**
   * @param onChange told when the first is refused, and when one is taken again
   * @param now monotonic milliseconds
   */
  constructor(
    onChange: (isRefused: boolean, detail: string) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#onChange = onChange;
    this.#now = now;
  }

  get isRefused(): boolean {
    return this.#askAgainAt !== null;
  }

  /** How many may be sent now: all, none, or one to see whether it is still refused. */
  allowed(): 'all' | 'one' | 'none' {
    if (this.#askAgainAt === null) return 'all';
    if (this.#now() < this.#askAgainAt) return 'none';
    this.#askAgainAt = this.#now() + AGAIN_MS;
    return 'one';
  }

  refused(detail: string): void {
    const isNew = this.#askAgainAt === null;
    this.#askAgainAt = this.#now() + AGAIN_MS;
    if (isNew) this.#onChange(true, detail);
  }

  taken(): void {
    if (this.#askAgainAt === null) return;
    this.#askAgainAt = null;
    this.#onChange(false, '');
  }
}
