import type { Reply } from '../broker/envelope.ts';
import { createPublisher, type PublishResult } from '../broker/publisher.ts';
import type { SupervisedConnection } from '../broker/supervisor.ts';
import type { Published } from '../pipeline.ts';

/** Replies that may wait for their confirm at once. */
const MAX_IN_FLIGHT = 5000;

/**
 * Publishes replies and waits for the confirm of each. Direct replies go over a connection of their own: a
 * malformed address makes the broker close the whole connection (541), and a producer can do that at will.
 */
export function createReplies(
  connections: { main: SupervisedConnection; direct: SupervisedConnection },
  timeoutMs: number,
) {
  const options = { timeoutMs, maxInFlight: MAX_IN_FLIGHT };
  const main = createPublisher(connections.main, options);
  const direct = createPublisher(connections.direct, options);

  async function publish(replies: readonly Reply[]): Promise<Published[]> {
    const through = (isDirect: boolean) => {
      const mine = replies.filter((reply) => reply.direct === isDirect);
      return mine.length === 0 ? [] : (isDirect ? direct : main).publishBatch(mine.map(toMessage));
    };
    const results = await Promise.all([through(true), through(false)]);
    const [fromDirect, fromMain] = results.map((list) => list.values());
    return replies.map((reply) => publishedOf((reply.direct ? fromDirect : fromMain)?.next().value, reply));
  }

  return {
    publish,
    stop: async () => void (await Promise.all([connections.main.stop(), connections.direct.stop()])),
  };
}

/**
 * What cannot be encoded at all reaches nobody there, as if it had come back; trying again would never end. The same
 * goes for what the queue of a `reply_to` refuses, full or without its node: waiting for it would hold up all others.
 */
function publishedOf(result: PublishResult | undefined, { exchange }: Reply): Published {
  if (result === undefined) return 'failed';
  if (result.kind !== 'failed') return result.kind;
  const isRefused = result.reason === 'nacked' && exchange === '';
  return result.reason === 'unencodable' || isRefused ? 'returned' : 'failed';
}

function toMessage({ exchange, routingKey, mandatory, body, correlationId, headers }: Reply) {
  const properties = { contentType: 'application/json', persistent: true, correlationId, headers };
  return { exchange, routingKey, mandatory, body, properties };
}
