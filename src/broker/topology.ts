import type { Channel } from 'amqplib';
import type { BrokerConnection } from './connect.ts';
import { within } from './deadline.ts';
import { describeError } from './log.ts';
import {
  type Arguments,
  nameOf,
  type TopologyNames,
  type TopologyObject,
  topologyOf,
} from './topology-objects.ts';

export { defaultNames, type TopologyNames } from './topology-objects.ts';

/** What became of one object of the topology. */
export interface TopologyReport {
  object: string;
  ok: boolean;
  /** What is wrong; of an object that is `ok`, what could not be looked at; else null. */
  problem: string | null;
}

/**
 * Declares what is missing and leaves alone what is there as it should be; safe to repeat and to run from
 * several places at once. Goes on after a problem, so that one run shows all of them.
 *
 * @throws when the connection is lost or the broker does not answer.
 */
export async function declareTopology(
  connection: BrokerConnection,
  names: TopologyNames,
): Promise<TopologyReport[]> {
  const reports: TopologyReport[] = [];
  for (const object of topologyOf(names)) {
    const refusal = await ask(connection, (channel) => declare(channel, object));
    reports.push(refusal === null ? fine(object) : wrong(object, refusal));
  }
  return reports;
}

/**
 * Compares the broker with the topology and changes nothing. Exchanges and queues are declared once more where
 * they exist, which the broker refuses when they differ. Without the permission to configure only their existence
 * can be told, and AMQP has no way to read a binding or a policy: the reports say so.
 *
 * @throws when the connection is lost or the broker does not answer.
 */
export async function checkTopology(
  connection: BrokerConnection,
  names: TopologyNames,
): Promise<TopologyReport[]> {
  const reports: TopologyReport[] = [];
  for (const object of topologyOf(names)) reports.push(await check(connection, object));
  return reports;
}

async function check(connection: BrokerConnection, object: TopologyObject): Promise<TopologyReport> {
  if (object.kind === 'binding') return fine(object, 'not checked: AMQP cannot read bindings');
  const absent = await ask(connection, (channel) =>
    object.kind === 'queue' ? channel.checkQueue(object.name) : channel.checkExchange(object.name),
  );
  if (absent !== null) return wrong(object, absent);
  const different = await ask(connection, (channel) => declare(channel, object));
  if (different?.code === ACCESS_REFUSED) {
    return fine(object, 'exists; its arguments were not checked, this user may not configure it');
  }
  return different === null ? fine(object) : wrong(object, different);
}

function fine(object: TopologyObject, unchecked: string | null = null): TopologyReport {
  return { object: nameOf(object), ok: true, problem: unchecked };
}

function wrong(object: TopologyObject, refusal: Refusal): TopologyReport {
  return { object: nameOf(object), ok: false, problem: explain(object, refusal) };
}

function declare(channel: Channel, object: TopologyObject): Promise<unknown> {
  switch (object.kind) {
    case 'exchange':
      return channel.assertExchange(object.name, 'topic', { durable: true, arguments: object.arguments });
    case 'queue':
      return channel.assertQueue(object.name, { durable: true, arguments: object.arguments });
    case 'binding':
      return channel.bindQueue(object.queue, object.exchange, object.routingKey);
  }
}

interface Refusal {
  code: number;
  text: string;
}

const ACCESS_REFUSED = 403;
const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;

/** Asks on a channel of its own, since a refusal closes it. Null when the broker agrees. */
async function ask(
  connection: BrokerConnection,
  question: (channel: Channel) => Promise<unknown>,
): Promise<Refusal | null> {
  const channel = await connection.openChannel();
  channel.on('error', () => {});
  try {
    await within(question(channel), connection.rpcTimeoutMs, 'the answer to a declaration');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (typeof code !== 'number') throw error;
    return { code, text: describeError(error) };
  }
  await within(channel.close(), connection.rpcTimeoutMs, 'the answer to channel.close');
  return null;
}

function explain(object: TopologyObject, { code, text }: Refusal): string {
  const name = nameOf(object);
  const expected = object.kind === 'binding' ? '' : `, expected ${describe(object.kind, object.arguments)}`;
  // The broker repeats the method and its own code before its words.
  const words = text.replace(/^.*? with message "(.*)"$/s, '$1');
  switch (code) {
    case NOT_FOUND:
      return `${name} does not exist${expected}: ${words}`;
    case PRECONDITION_FAILED:
      return `${name} exists, but not as it should be${expected}: ${words}. Arguments of what exists cannot be changed: declare it anew, or leave them to a policy and run without the permission to configure`;
    case ACCESS_REFUSED:
      return `${name} may not be declared by this user${expected}: ${words}`;
    default:
      return `${name}${expected}: ${words}`;
  }
}

function describe(kind: 'exchange' | 'queue', args: Arguments): string {
  const list = Object.entries(args).map(([name, value]) => `${name}=${value}`);
  return [kind === 'exchange' ? 'a durable topic exchange' : 'a durable queue', ...list].join(' ');
}
