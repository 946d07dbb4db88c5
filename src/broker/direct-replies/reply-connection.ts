import { within } from '../../retry.ts';
import type { BrokerConnection } from '../connect.ts';
import {
  createPublisher,
  type OutgoingMessage,
  type Publisher,
  type PublisherOptions,
  type PublishResult,
} from '../publisher.ts';
import type { SupervisedConnection } from '../supervisor.ts';

/** How long a reply waits for a lost connection to be back. */
const RECONNECT_MS = 1_000;
/** The broker's code for an internal error: one of its processes has crashed. */
const CRASHED = /\b541\b/;

/** `crashed`: the broker closed the connection over one of the messages on it, maybe this one. */
export type SendResult = PublishResult | { kind: 'crashed' };

/** A connection for some of the direct replies; opened when the first one is sent. */
export class ReplyConnection {
  readonly #open: () => SupervisedConnection;
  readonly #options: PublisherOptions;
  #opened: { connection: SupervisedConnection; publisher: Publisher } | undefined;

  constructor(open: () => SupervisedConnection, options: PublisherOptions) {
    this.#open = open;
    this.#options = options;
  }

  /**
   * Results in the order of the messages. If the connection is lost without a crash, its messages are sent
   * once more.
   */
  async send(messages: readonly OutgoingMessage[]): Promise<SendResult[]> {
    const results = await this.#sendOnce(messages);
    const lost = results.flatMap((result, index) => (isLost(result) ? [index] : []));
    if (lost.length === 0) return results;
    const again = await this.#sendOnce(lost.flatMap((index) => messages[index] ?? []));
    lost.forEach((index, position) => {
      const result = again[position];
      if (result !== undefined) results[index] = result;
    });
    return results;
  }

  async #sendOnce(messages: readonly OutgoingMessage[]): Promise<SendResult[]> {
    this.#opened ??= this.#start();
    const { connection, publisher } = this.#opened;
    await connection.whenUp(RECONNECT_MS);
    const mine = connection.current;
    const results: SendResult[] = await publisher.publishBatch(messages);
    if (mine === null || !results.some(isLost) || !(await hasCrashed(mine))) return results;
    return results.map((result) => (isLost(result) ? { kind: 'crashed' } : result));
  }

  #start() {
    const connection = this.#open();
    return { connection, publisher: createPublisher(connection, this.#options) };
  }

  async stop(): Promise<void> {
    this.#opened?.publisher.close();
    await this.#opened?.connection.stop();
  }
}

const isLost = (result: SendResult) => result.kind === 'failed' && result.reason === 'disconnected';

/** Why a connection that has just lost its channel ended. */
async function hasCrashed({ closed }: BrokerConnection): Promise<boolean> {
  return CRASHED.test(await within(closed, RECONNECT_MS, 'the reason of a lost connection').catch(String));
}
