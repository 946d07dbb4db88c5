import { DirectLane, type LaneResult } from './direct-lane.ts';
import { DirectMemory } from './direct-memory.ts';
import { DirectProver, type DirectResult, type Unproven } from './direct-prover.ts';
import type { PublisherOptions } from './publisher.ts';
import type { SupervisedConnection } from './supervisor.ts';

export type { DirectResult } from './direct-prover.ts';

/** Connections by what is known of the addresses on them; each is opened when it is needed. */
export interface DirectConnections {
  proven: () => SupervisedConnection;
  likely: () => SupervisedConnection;
  unknown: () => SupervisedConnection;
}

/**
 * Replies through RabbitMQ's direct reply-to. Up to 4.1 a malformed address, or one of a node that is gone, makes the
 * broker close the connection over which it is sent, with all that is on it, and a producer can do that at will.
 * So addresses that worked before have a connection of their own. New ones of nodes that work share a second. Any
 * other is sent alone, over a third, and so is, once more, everything that was on a connection when it closed.
 */
export class DirectReplies {
  readonly #memory = new DirectMemory();
  readonly #proven: DirectLane;
  readonly #likely: DirectLane;
  readonly #unknown: DirectLane;
  readonly #prover: DirectProver;

  /** @param cautious for the connections of what has not worked before */
  constructor(connections: DirectConnections, options: PublisherOptions, cautious: PublisherOptions) {
    this.#proven = new DirectLane(connections.proven, options);
    this.#likely = new DirectLane(connections.likely, cautious);
    this.#unknown = new DirectLane(connections.unknown, cautious);
    this.#prover = new DirectProver(this.#unknown, (address, result) => this.#learn(address, result));
  }

  /** Whether a reply to this address waits for nothing but its confirm. */
  isProven(address: string): boolean {
    return this.#memory.isProven(address);
  }

  /** Results in the order of the replies. Never rejects. */
  async publish(replies: readonly Unproven[]): Promise<DirectResult[]> {
    return await this.#publish(replies, false);
  }

  async #publish(replies: readonly Unproven[], isAgain: boolean): Promise<DirectResult[]> {
    const results: DirectResult[] = new Array(replies.length);
    const proven: number[] = [];
    const likely: number[] = [];
    const unknown: number[] = [];
    replies.forEach(({ message }, index) => {
      const standing = this.#memory.standing(message.routingKey);
      if (standing === 'proven') proven.push(index);
      else if (standing === 'likely') likely.push(index);
      else if (standing === 'unknown') unknown.push(index);
      else results[index] = { kind: standing };
    });
    await Promise.all([
      fill(results, replies, proven, (some) => this.#together(this.#proven, some, isAgain)),
      fill(results, replies, likely, (some) => this.#together(this.#likely, some, isAgain)),
      fill(results, replies, unknown, (some) => this.#alone(some)),
    ]);
    return results;
  }

  /**
   * Over a shared connection. When the broker closes it, one reply to each address that was on it is sent alone, and
   * then the rest, by what is known of the addresses by then. Closed over those again, each of them goes alone.
   */
  async #together(lane: DirectLane, replies: readonly Unproven[], isAgain: boolean): Promise<DirectResult[]> {
    const first: number[] = [];
    const rest: number[] = [];
    const addresses = new Set<string>();
    const sent = await lane.send(replies.map(({ message }) => message));
    const results = sent.map((result, index): DirectResult => {
      const address = replies[index]?.message.routingKey ?? '';
      if (result.kind === 'confirmed' && !this.#memory.isProven(address)) this.#memory.worked(address);
      if (result.kind !== 'crashed') return result;
      (isAgain || !addresses.has(address) ? first : rest).push(index);
      addresses.add(address);
      return { kind: 'closing' };
    });
    this.#memory.doubt(addresses);
    await fill(results, replies, first, (some) => this.#alone(some));
    await fill(results, replies, rest, (some) => this.#publish(some, true));
    return results;
  }

  #alone(replies: readonly Unproven[]): Promise<DirectResult[]> {
    return Promise.all(replies.map((reply) => this.#prover.send(reply)));
  }

  /** Others that wait for their turn gain or lose by what became of this one. */
  #learn(address: string, result: LaneResult): void {
    if (result.kind === 'crashed') {
      this.#memory.closed(address);
      for (const { resolve } of this.#prover.take((other) => other === address)) resolve({ kind: 'closing' });
    }
    if (result.kind !== 'confirmed') return;
    this.#memory.worked(address);
    const known = this.#prover.take((other) => this.#memory.standing(other) !== 'unknown');
    this.publish(known).then((results) => {
      known.forEach(({ resolve }, index) => {
        resolve(results[index] ?? { kind: 'crowded' });
      });
    });
  }

  async stop(): Promise<void> {
    await Promise.all([this.#proven, this.#likely, this.#unknown].map((lane) => lane.stop()));
  }
}

/** Puts the results of some of the replies where they belong. */
async function fill(
  results: DirectResult[],
  replies: readonly Unproven[],
  indexes: readonly number[],
  send: (some: Unproven[]) => Promise<DirectResult[]>,
): Promise<void> {
  if (indexes.length === 0) return;
  const some = await send(indexes.flatMap((index) => replies[index] ?? []));
  indexes.forEach((index, position) => {
    results[index] = some[position] ?? { kind: 'crowded' };
  });
}
