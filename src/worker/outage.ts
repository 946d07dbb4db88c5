import { backoffMs, sleep } from '../retry.ts';

/** What the guard needs of the consumer. */
export interface Pausable {
  returnAll: () => Promise<void>;
  resume: () => void;
}

export interface OutageSettings {
  /** An outage that lasts longer gives the deliveries in hand back to the broker, once. */
  returnAfterMs: number;
  reachable: () => Promise<boolean>;
  words: { begins: string; ends: string; until: string };
  onChange: (isPaused: boolean, description: string) => void;
}

/**
 * Waits out an outage with the deliveries in hand, because giving them back counts towards their
 * delivery limit. Only an outage in which what is waited for cannot be reached for long gives them back, once; then
 * consuming starts again when it can. An outage is over when something got through.
 */
export class OutageGuard {
  readonly #consumer: Pausable;
  readonly #settings: OutageSettings;
  #since: number | undefined;
  #returned: Promise<void> | undefined;
  /** In this outage. */
  #hasReturned = false;

  constructor(consumer: Pausable, settings: OutageSettings) {
    this.#consumer = consumer;
    this.#settings = settings;
  }

  get isPaused(): boolean {
    return this.#since !== undefined;
  }

  /** Waits before another try. To be called after each failure that is an outage. */
  async wait(attempt: number): Promise<void> {
    const now = performance.now();
    if (this.#since === undefined) {
      this.#since = now;
      this.#settings.onChange(true, `${this.#settings.words.begins}: holding the deliveries in hand`);
    }
    if (now - this.#since > this.#settings.returnAfterMs) this.#returned ??= this.#returnOnce();
    await sleep(backoffMs(attempt));
  }

  /** Something got through. */
  over(): void {
    if (this.#returned !== undefined) return;
    this.#hasReturned = false;
    this.#end();
  }

  #end(): void {
    if (this.#since === undefined) return;
    this.#since = undefined;
    this.#settings.onChange(false, this.#settings.words.ends);
  }

  /** What can be reached, and fails all the same, is waited out with the deliveries in hand. */
  async #returnOnce(): Promise<void> {
    if (!this.#hasReturned && !(await this.#settings.reachable())) await this.#returnUntilReachable();
    this.#returned = undefined;
  }

  async #returnUntilReachable(): Promise<void> {
    this.#hasReturned = true;
    this.#settings.onChange(
      true,
      `outage continues: returning deliveries to the broker until ${this.#settings.words.until}`,
    );
    await this.#consumer.returnAll();
    for (let attempt = 0; !(await this.#settings.reachable()); attempt += 1) {
      await sleep(backoffMs(attempt));
    }
    // Another worker may take all that was given back. Then nothing gets through that would end the outage here.
    this.#end();
    this.#consumer.resume();
  }
}
