import type { SourceRule } from '../store/source-rules.ts';

/** What was read longer ago is read again: another worker may have recorded a feed since. */
const FRESH_MS = 10_000;

/**
 * The feeds that are on record in the database, by exchange. A worker whose sources file lacks one, because it is older than
 * that of others or was not given at all, knows by this that a message is a record and no call of the contract.
 */
export class RecordedFeeds {
  readonly #read: () => Promise<Pick<SourceRule, 'source' | 'exchange'>[]>;
  readonly #now: () => number;
  #names: ReadonlyMap<string, string> = new Map();
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<ReadonlyMap<string, string>> | undefined;

  /**
   * @param read rejects with the error of the database
   * @param now milliseconds on a clock that never goes back
   */
  constructor(read: () => Promise<Pick<SourceRule, 'source' | 'exchange'>[]>, now = () => performance.now()) {
    this.#read = read;
    this.#now = now;
  }

  /** The name of the feed that publishes to an exchange; not a promise if the record was read lately. */
  nameOf(exchange: string): string | undefined | Promise<string | undefined> {
    if (this.#now() - this.#readAt < FRESH_MS) return this.#names.get(exchange);
    this.#reading ??= this.#readAgain().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading.then((names) => names.get(exchange));
  }

  async #readAgain(): Promise<ReadonlyMap<string, string>> {
    const readAt = this.#now();
    const feeds = await this.#read();
    this.#names = new Map(feeds.map(({ source, exchange }) => [exchange, source]));
    this.#readAt = readAt;
    return this.#names;
  }
}
