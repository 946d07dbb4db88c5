import { within } from './deadline.ts';
import type { OutgoingMessage, PublishResult } from './publish-window.ts';
import { createPublisher, type Publisher, type PublisherOptions } from './publisher.ts';
import type { BrokerConnection, SupervisedConnection } from './supervisor.ts';

/** How long a reply waits for a connection that was lost to be there again. */
const RECONNECT_MS = 1_000;
/** The broker's code for "one of my processes has crashed". */
const CRASHED = /\b541\b/;

/** `crashed`: the broker closed the connection over something that was sent, maybe this. */
export type LaneResult = PublishResult | { kind: 'crashed' };

/** A connection of its own for some of the direct replies; opened when the first comes. */
export class DirectLane {
  readonly #open: () => SupervisedConnection;
  readonly #options: PublisherOptions;
  #line: { connection: SupervisedConnection; publisher: Publisher } | undefined;

  constructor(open: () => SupervisedConnection, options: PublisherOptions) {
    this.#open = open;
    this.#options = options;
  }

  /** Sends once more what was lost with a connection for another reason than a crash of the broker's. */
  async send(messages: readonly OutgoingMessage[]): Promise<LaneResult[]> {
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

  async #sendOnce(messages: readonly OutgoingMessage[]): Promise<LaneResult[]> {
    this.#line ??= this.#begin();
    const { connection, publisher } = this.#line;
    await connection.whenUp(RECONNECT_MS);
    const mine = connection.current;
    const results: LaneResult[] = await publisher.publishBatch(messages);
    if (mine === null || !results.some(isLost) || !(await hasCrashed(mine))) return results;
    return results.map((result) => (isLost(result) ? { kind: 'crashed' } : result));
  }

  #begin() {
    const connection = this.#open();
    return { connection, publisher: createPublisher(connection, this.#options) };
  }

  async stop(): Promise<void> {
    this.#line?.publisher.close();
    await this.#line?.connection.stop();
  }
}

const isLost = (result: LaneResult) => result.kind === 'failed' && result.reason === 'disconnected';

/** Of a connection that has just lost its channel. */
async function hasCrashed({ closed }: BrokerConnection): Promise<boolean> {
  return CRASHED.test(await within(closed, RECONNECT_MS, 'the reason of a lost connection').catch(String));
}
