import { within } from '../retry.ts';
import { type BrokerConnection, type ConnectOptions, openFirst } from './connect.ts';
import { type Depth, readDepth } from './depth.ts';
import { describeError } from './log.ts';

/** The depths of queues, null for one that does not exist; or one line why the broker cannot be asked. */
export type QueueDepths =
  | { kind: 'known'; queues: { name: string; depth: Depth | null }[] }
  | { kind: 'unknown'; problem: string };

export interface QueueWatchOptions extends Omit<ConnectOptions, 'url'> {
  urls: readonly string[];
  queues: readonly string[];
  /** Limit for one answer, connecting included. */
  answerMs: number;
}

/** Asks how full queues are, over one connection that is opened when it is first needed, and again when it is gone. */
export class QueueWatch {
  readonly #options: QueueWatchOptions;
  #opening: Promise<BrokerConnection> | undefined;

  constructor(options: QueueWatchOptions) {
    this.#options = options;
  }

  /** Never rejects, and never takes much longer than `answerMs`. */
  async read(): Promise<QueueDepths> {
    const { answerMs } = this.#options;
    try {
      return { kind: 'known', queues: await within(this.#ask(), answerMs, "the broker's answer") };
    } catch (error) {
      return { kind: 'unknown', problem: describeError(error) };
    }
  }

  async close(): Promise<void> {
    const connection = await this.#opening?.catch(() => undefined);
    await connection?.close();
  }

  async #ask(): Promise<{ name: string; depth: Depth | null }[]> {
    const connection = await this.#connection();
    return await Promise.all(
      this.#options.queues.map(async (name) => ({ name, depth: await readDepth(connection, name) })),
    );
  }

  #connection(): Promise<BrokerConnection> {
    if (this.#opening !== undefined) return this.#opening;
    const opening = openFirst(this.#options);
    const forget = () => {
      if (this.#opening === opening) this.#opening = undefined;
    };
    opening.then(({ closed }) => closed.then(forget), forget);
    this.#opening = opening;
    return opening;
  }
}
