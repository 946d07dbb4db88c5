/** How long publishing is paused after a refusal. */
const RETRY_MS = 30_000;

/**
 * Whether the broker lets this user publish to an exchange, judging by its last answer. A refusal closes the
 * channel, so after one only a single message every 30 s is sent to ask again.
 */
export class ExchangePermission {
  readonly #onChange: (isRefused: boolean, detail: string) => void;
  readonly #now: () => number;
  #retryAt: number | null = null;

  /**
   * @param onChange called at the first refusal, and when a message is accepted again
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
    return this.#retryAt !== null;
  }

  /** How many messages may be sent now: all, none, or one to ask again. */
  allowed(): 'all' | 'one' | 'none' {
    if (this.#retryAt === null) return 'all';
    if (this.#now() < this.#retryAt) return 'none';
    this.#retryAt = this.#now() + RETRY_MS;
    return 'one';
  }

  /** The broker refused a message. */
  refused(detail: string): void {
    const isNew = this.#retryAt === null;
    this.#retryAt = this.#now() + RETRY_MS;
    if (isNew) this.#onChange(true, detail);
  }

  /** The broker accepted a message. */
  accepted(): void {
    if (this.#retryAt === null) return;
    this.#retryAt = null;
    this.#onChange(false, '');
  }
}
