import type { PublisherOptions } from '../publisher.ts';
import type { SupervisedConnection } from '../supervisor.ts';
import { KnownAddresses } from './addresses.ts';
import { ReplyConnection, type SendResult } from './reply-connection.ts';
import { type DirectReply, type DirectResult, TrialQueue } from './trial-queue.ts';

export type { DirectResult } from './trial-queue.ts';

/** Opens a connection for the addresses of each standing; called when it is first needed. */
export interface DirectConnections {
  proven: () => SupervisedConnection;
  likely: () => SupervisedConnection;
  unknown: () => SupervisedConnection;
}

/**
 * Publishes replies through RabbitMQ's direct reply-to. Up to 4.1 a malformed address, or one of a node that
 * is gone, makes the broker close the connection, and all other replies on it are lost. Any producer can
 * cause that. So:
 *
 * | address | goes |
 * | --- | --- |
 * | proven: it worked before | over a connection shared with such addresses only |
 * | likely: new, of a node that works | over a second shared connection |
 * | unknown: of a node of which nothing is known | alone, over a third connection (`TrialQueue`) |
 *
 * When the broker closes a shared connection, everything that was on it is tried alone, once.
 */
export class DirectReplies {
  readonly #addresses = new KnownAddresses();
  readonly #proven: ReplyConnection;
  readonly #likely: ReplyConnection;
  readonly #unknown: ReplyConnection;
  readonly #trials: TrialQueue;

  /** @param cautious options for the connections of addresses that are not proven */
  constructor(connections: DirectConnections, options: PublisherOptions, cautious: PublisherOptions) {
    this.#proven = new ReplyConnection(connections.proven, options);
    this.#likely = new ReplyConnection(connections.likely, cautious);
    this.#unknown = new ReplyConnection(connections.unknown, cautious);
    this.#trials = new TrialQueue(this.#unknown, (address, result) => this.#learn(address, result));
  }

  /** Whether a reply to this address waits for its confirm only, and not for other replies. */
  isProven(address: string): boolean {
    return this.#addresses.isProven(address);
  }

  /** Results in the order of the replies. Never rejects. */
  async publish(replies: readonly DirectReply[]): Promise<DirectResult[]> {
    return await this.#publish(replies, false);
  }

  async #publish(replies: readonly DirectReply[], isRetry: boolean): Promise<DirectResult[]> {
    const results: DirectResult[] = new Array(replies.length);
    const proven: number[] = [];
    const likely: number[] = [];
    const unknown: number[] = [];
    replies.forEach(({ message }, index) => {
      const standing = this.#addresses.standing(message.routingKey);
      if (standing === 'proven') proven.push(index);
      else if (standing === 'likely') likely.push(index);
      else if (standing === 'unknown') unknown.push(index);
      else results[index] = { kind: standing };
    });
    await Promise.all([
      fill(results, replies, proven, (some) => this.#sendShared(this.#proven, some, isRetry)),
      fill(results, replies, likely, (some) => this.#sendShared(this.#likely, some, isRetry)),
      fill(results, replies, unknown, (some) => this.#sendAlone(some)),
    ]);
    return results;
  }

  /**
   * Sends over a shared connection. If the broker closes it, one reply to each address is tried alone first,
   * which shows the address at fault. Then the others are published again; if they close a connection too,
   * each is tried alone.
   */
  async #sendShared(
    connection: ReplyConnection,
    replies: readonly DirectReply[],
    isRetry: boolean,
  ): Promise<DirectResult[]> {
    const first: number[] = [];
    const rest: number[] = [];
    const addresses = new Set<string>();
    const sent = await connection.send(replies.map(({ message }) => message));
    const results = sent.map((result, index): DirectResult => {
      const address = replies[index]?.message.routingKey ?? '';
      if (result.kind === 'confirmed' && !this.#addresses.isProven(address))
        this.#addresses.confirmed(address);
      if (result.kind !== 'crashed') return result;
      (isRetry || !addresses.has(address) ? first : rest).push(index);
      addresses.add(address);
      return { kind: 'closing' };
    });
    this.#addresses.doubt(addresses);
    await fill(results, replies, first, (some) => this.#sendAlone(some));
    await fill(results, replies, rest, (some) => this.#publish(some, true));
    return results;
  }

  #sendAlone(replies: readonly DirectReply[]): Promise<DirectResult[]> {
    return Promise.all(replies.map((reply) => this.#trials.send(reply)));
  }

  /**
   * The result of a trial also decides about others in the queue: of the same address, or of a node that now
   * works.
   */
  #learn(address: string, result: SendResult): void {
    if (result.kind === 'crashed') {
      this.#addresses.closed(address);
      for (const { resolve } of this.#trials.take((other) => other === address)) resolve({ kind: 'closing' });
    }
    if (result.kind !== 'confirmed') return;
    this.#addresses.confirmed(address);
    const known = this.#trials.take((other) => this.#addresses.standing(other) !== 'unknown');
    this.publish(known).then((results) => {
      known.forEach(({ resolve }, index) => {
        resolve(results[index] ?? { kind: 'crowded' });
      });
    });
  }

  async stop(): Promise<void> {
    const connections = [this.#proven, this.#likely, this.#unknown];
    await Promise.all(connections.map((connection) => connection.stop()));
  }
}

/** Sends the replies at these indexes, and puts their results at the same places. */
async function fill(
  results: DirectResult[],
  replies: readonly DirectReply[],
  indexes: readonly number[],
  send: (some: DirectReply[]) => Promise<DirectResult[]>,
): Promise<void> {
  if (indexes.length === 0) return;
  const some = await send(indexes.flatMap((index) => replies[index] ?? []));
  indexes.forEach((index, position) => {
    results[index] = some[position] ?? { kind: 'crowded' };
  });
}
