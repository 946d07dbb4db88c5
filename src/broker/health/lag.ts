import { counted } from '../../plural.ts';
import { ask, NOT_FOUND } from '../ask.ts';
import type { BrokerConnection } from '../connect.ts';
import { type Health, healthFrom, withoutManagement } from './health.ts';
import type { Managed } from './managed.ts';
import { effective } from './policies.ts';

/** If a message waits longer although there are consumers, the workers cannot keep up. */
const LONGEST_WAIT_S = 300;
/** Fewer are what is on its way, whatever their age. */
const BACKLOG = 1000;

/**
 * How far behind the workers are at a queue.
 *
 * @param nowS Unix seconds
 * @throws when the connection is lost or the broker does not answer.
 */
export async function lagHealth(
  connection: BrokerConnection,
  queue: string,
  managed: Managed,
  nowS: number,
): Promise<Health> {
  let depth = { ready: 0, consumers: 0 };
  const refusal = await ask(connection, async (channel) => {
    const { messageCount, consumerCount } = await channel.checkQueue(queue);
    depth = { ready: messageCount, consumers: consumerCount };
  });
  if (refusal?.code === NOT_FOUND)
    return { state: 'failed', detail: `${queue} does not exist: run "cdr-ingest topology"` };
  if (refusal !== null) return { state: 'failed', detail: `${queue}: ${refusal.text}` };
  const { ready, consumers } = depth;
  const waited = managed.kind === 'managed' && ready > 0 ? waitedS(managed, queue, nowS) : undefined;
  const oldest = waited === undefined ? '' : `, the oldest sent ${waited} s ago`;
  const idle = consumers === 0 ? ': no worker is running (start "cdr-ingest worker")' : '';
  const fine = `${queue}: ${ready} waiting${oldest}, ${counted(consumers, 'consumer')}${idle}`;
  const slow = `${fine}. Start more workers, or use a faster database (docs/scaling.md)`;
  const ageUnknown =
    managed.kind === 'unmanaged'
      ? withoutManagement(managed.why)
      : 'its senders set no timestamp (AMQP property "timestamp")';
  return healthFrom({
    problems: [
      ...(ready > 0 && consumers === 0 ? [fine] : []),
      ...(consumers > 0 && (waited ?? 0) > LONGEST_WAIT_S ? [slow] : []),
      ...fullness(managed, queue),
    ],
    warnings: ready === 0 && consumers === 0 ? [fine] : [],
    skipped:
      ready > BACKLOG && consumers > 0 && waited === undefined
        ? [`how long the oldest of ${ready} waiting in ${queue} has waited: ${ageUnknown}`]
        : [],
    fine,
  });
}

/** By the timestamp that its sender gave the oldest message. */
function waitedS(managed: Managed & { kind: 'managed' }, queue: string, nowS: number): number | undefined {
  const since = managed.queues.find(({ name }) => name === queue)?.head_message_timestamp;
  return typeof since === 'number' ? Math.max(0, Math.round(nowS - since)) : undefined;
}

/** A queue at its limit refuses what is published to it. */
export function fullness(managed: Managed, queue: string): string[] {
  const found = managed.kind === 'managed' ? managed.queues.find(({ name }) => name === queue) : undefined;
  if (found === undefined) return [];
  const sizes = { 'max-length': found.messages, 'max-length-bytes': found.message_bytes };
  return Object.entries(sizes).flatMap(([key, size]) => {
    const limit = effective(found, key);
    return typeof limit === 'number' && typeof size === 'number' && size >= limit
      ? [`${queue} is full (${key} ${limit}): it refuses messages`]
      : [];
  });
}
