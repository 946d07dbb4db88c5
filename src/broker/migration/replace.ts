import * as z from 'zod';
import { within } from '../../retry.ts';
import { sendUnanswered, type UnansweredMethod } from '../amqplib.ts';
import { ask } from '../ask.ts';
import type { BrokerConnection, Channel } from '../connect.ts';
import type { Management } from '../health/management.ts';
import type { TopologyNames } from '../topology.ts';

const bindingsSchema = z.array(
  z.looseObject({
    source: z.string(),
    destination: z.string(),
    destination_type: z.enum(['queue', 'exchange']),
    routing_key: z.string(),
    // RabbitMQ's JSON writes an empty object as an empty list.
    arguments: z.preprocess(
      (value) => (Array.isArray(value) ? {} : value),
      z.record(z.string(), z.unknown()).default({}),
    ),
  }),
);

/** A binding that somebody else made. */
export type ForeignBinding = z.output<typeof bindingsSchema>[number];

/** The bindings of others from and to the exchange, which end with it; or one line why they cannot be read. */
export async function foreignBindings(
  management: Management,
  vhost: string,
  names: TopologyNames,
): Promise<ForeignBinding[] | string> {
  const answer = await management(`bindings/${encodeURIComponent(vhost)}`);
  if (answer.kind === 'unavailable') return answer.problem;
  const all = bindingsSchema.parse(answer.kind === 'found' ? answer.body : []);
  const own = [names.intakeExchange, names.queue];
  return all.filter(
    ({ source, destination, destination_type: type }) =>
      (source === names.exchange && !own.includes(destination)) ||
      (type === 'exchange' && destination === names.exchange),
  );
}

export function describeBinding({
  source,
  destination,
  destination_type,
  routing_key,
}: ForeignBinding): string {
  return `"${routing_key}" of exchange "${source}" to ${destination_type} "${destination}"`;
}

/**
 * Makes the bindings once more as they are, which changes nothing, and returns those that this user may not make: they could
 * not be made again afterwards.
 *
 * @throws when the connection is lost or the broker does not answer.
 */
export async function unbindable(
  connection: BrokerConnection,
  bindings: readonly ForeignBinding[],
): Promise<ForeignBinding[]> {
  const refused: ForeignBinding[] = [];
  for (const binding of bindings)
    if ((await ask(connection, (channel) => bind(channel, binding))) !== null) refused.push(binding);
  return refused;
}

function bind(channel: Channel, binding: ForeignBinding): Promise<unknown> {
  const { source, destination, destination_type: type, routing_key: key, arguments: args } = binding;
  return type === 'queue'
    ? channel.bindQueue(destination, source, key, args)
    : channel.bindExchange(destination, source, key, args);
}

/**
 * Deletes the exchange `cdrs`, declares it without arguments and binds it, all in one write, so that the broker does it back to
 * back and finishes it whatever becomes of this process. Resolves with the milliseconds until the broker had done it: in a part of
 * them the exchange did not exist, and the broker closed the channels of who published to it (404).
 *
 * @throws what the broker refuses, or when the connection is lost or the broker does not answer.
 */
export async function replaceExchange(
  connection: BrokerConnection,
  names: TopologyNames,
  others: readonly ForeignBinding[],
): Promise<number> {
  const { exchange, intakeExchange } = names;
  const declared = {
    exchange,
    type: 'topic',
    passive: false,
    durable: true,
    autoDelete: false,
    internal: false,
  };
  const own = { destination: intakeExchange, source: exchange, routingKey: '#', arguments: {} };
  const channel = await connection.openChannel();
  // The refusal rejects the answer that is waited for.
  channel.on('error', () => {});
  const sentAt = performance.now();
  sendUnanswered(channel, [
    { name: 'deleteExchange', fields: { exchange, ifUnused: false } },
    { name: 'declareExchange', fields: { ...declared, arguments: {} } },
    { name: 'bindExchange', fields: own },
    ...others.map(again),
  ]);
  await within(channel.checkExchange(exchange), connection.rpcTimeoutMs, 'the answer to the replacement');
  const tookMs = performance.now() - sentAt;
  await within(channel.close(), connection.rpcTimeoutMs, 'the answer to channel.close');
  return tookMs;
}

function again(binding: ForeignBinding): UnansweredMethod {
  const { source, destination, destination_type: type, routing_key: routingKey, arguments: args } = binding;
  return type === 'queue'
    ? { name: 'bindQueue', fields: { queue: destination, exchange: source, routingKey, arguments: args } }
    : { name: 'bindExchange', fields: { destination, source, routingKey, arguments: args } };
}
