import { ask } from '../ask.ts';
import type { BrokerConnection } from '../connect.ts';
import { type Health, withoutManagement } from './health.ts';
import { queuesFor, type Routing } from './routing.ts';

/** What billed messages are published with. */
const BILLED_KEYS = ['cdrs.billed.call', 'cdrs.billed.correction'];

const REMEDY =
  'calls are held until it takes what they were charged. Declare it and bind a queue, or unset BILLED_EXCHANGE';

/**
 * Whether the exchange of billed calls is there, and a queue takes what is published to it.
 *
 * @throws when the connection is lost or the broker does not answer.
 */
export async function billedHealth(
  connection: BrokerConnection,
  exchange: string,
  routing: Routing,
): Promise<Health> {
  const absent = await ask(connection, (channel) => channel.checkExchange(exchange));
  if (absent !== null) return { state: 'failed', detail: `${exchange}: ${absent.text}; ${REMEDY}` };
  if (routing.kind === 'unmanaged')
    return {
      state: 'unknown',
      detail: `${exchange} exists; skipped: whether a queue is bound: ${withoutManagement(routing.why)}`,
    };
  const type = routing.exchanges.find(({ name }) => name === exchange)?.type ?? '';
  // By what other types route is theirs to say.
  if (!['topic', 'direct', 'fanout'].includes(type))
    return {
      state: 'unknown',
      detail: `${exchange} exists; skipped: whether a queue is bound, which its type ${type} decides by itself`,
    };
  const unbound = BILLED_KEYS.filter((key) => queuesFor(routing, exchange, key).size === 0);
  return unbound.length > 0
    ? { state: 'failed', detail: `${exchange} has no queue bound for ${unbound.join(' and ')}; ${REMEDY}` }
    : { state: 'ok', detail: `${exchange} exists, with a queue bound` };
}
