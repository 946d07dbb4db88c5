import { within } from '../retry.ts';
import type { BrokerConnection, Channel } from './connect.ts';
import { describeError } from './log.ts';

/** Names of everything that this system has on the broker, and the delivery limit. */
export interface TopologyNames {
  exchange: string;
  queue: string;
  deadExchange: string;
  deadQueue: string;
  resultsExchange: string;
  resultsQueue: string;
  /** Failed deliveries after which the broker dead-letters a message. */
  deliveryLimit: number;
}

export const defaultNames: Readonly<TopologyNames> = Object.freeze({
  exchange: 'cdrs',
  queue: 'cdrs.create',
  deadExchange: 'cdrs.dead',
  deadQueue: 'cdrs.dead',
  resultsExchange: 'cdrs.results',
  resultsQueue: 'cdrs.results',
  deliveryLimit: 20,
});

type Arguments = Readonly<Record<string, string | number>>;

/** An exchange, a queue or a binding, as data. */
export type TopologyObject =
  | { kind: 'exchange'; name: string; arguments: Arguments }
  | { kind: 'queue'; name: string; arguments: Arguments }
  | { kind: 'binding'; queue: string; exchange: string; routingKey: string };

/**
 * The one way to say "no limit" that every broker understands. To RabbitMQ 3.10 a limit of -1 is exceeded by
 * the first redelivery; 4.x assumes a limit of 20 if none is given.
 */
export const NO_DELIVERY_LIMIT = 2_147_483_647;

const RESULTS_KEPT_MS = 7 * 24 * 3_600_000;
const RESULTS_KEPT_BYTES = 1024 ** 3;

/** The whole topology, in an order in which it can be declared. All exchanges are durable topics. */
export function topologyOf(names: TopologyNames): TopologyObject[] {
  const { exchange, queue, deadExchange, deadQueue, resultsExchange, resultsQueue } = names;
  return [
    { kind: 'exchange', name: deadExchange, arguments: {} },
    // May hold the only copy of a call, so no limit of any kind may drop it.
    {
      kind: 'queue',
      name: deadQueue,
      arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': NO_DELIVERY_LIMIT },
    },
    // Dead letters keep their routing key, so the queue must take every key.
    { kind: 'binding', queue: deadQueue, exchange: deadExchange, routingKey: '#' },
    { kind: 'exchange', name: resultsExchange, arguments: {} },
    {
      kind: 'queue',
      name: resultsQueue,
      arguments: {
        'x-queue-type': 'quorum',
        'x-message-ttl': RESULTS_KEPT_MS,
        'x-max-length-bytes': RESULTS_KEPT_BYTES,
        'x-overflow': 'drop-head',
        'x-delivery-limit': NO_DELIVERY_LIMIT,
      },
    },
    { kind: 'binding', queue: resultsQueue, exchange: resultsExchange, routingKey: 'cdrs.result.#' },
    // A mistyped routing key sends a call to the dead letters instead of nowhere.
    { kind: 'exchange', name: exchange, arguments: { 'alternate-exchange': deadExchange } },
    {
      kind: 'queue',
      name: queue,
      arguments: {
        'x-queue-type': 'quorum',
        'x-delivery-limit': names.deliveryLimit,
        'x-dead-letter-exchange': deadExchange,
        // Needs reject-publish: with drop-head the broker silently falls back to dead-lettering that may lose
        // messages.
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      },
    },
    { kind: 'binding', queue, exchange, routingKey: 'cdrs.create.#' },
  ];
}

/** How messages name an object, as in `queue "cdrs.create"`. */
function nameOf(object: TopologyObject): string {
  if (object.kind === 'binding') {
    return `binding "${object.routingKey}" of exchange "${object.exchange}" to queue "${object.queue}"`;
  }
  return `${object.kind} "${object.name}"`;
}

/** What became of one object of the topology. */
export interface TopologyReport {
  object: string;
  ok: boolean;
  /** What is wrong; if `ok`, what could not be checked, else null. */
  problem: string | null;
}

/**
 * Declares what is missing. Safe to repeat, and to run from several places at once. Goes on after a problem,
 * so that one run shows all of them.
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
 * Compares the broker with the topology and changes nothing. Declares exchanges and queues that exist once
 * more, which the broker refuses if they differ. Without the permission to configure it only checks that they
 * exist. AMQP cannot read bindings and policies. The reports say what was not checked.
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
    return fine(object, 'exists; its arguments were not checked because this user may not configure it');
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

/** Asks on a new channel, since a refusal closes it. Null if the broker agrees. */
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
  // amqplib puts the method and the code in front of the broker's message.
  const message = text.replace(/^.*? with message "(.*)"$/s, '$1');
  switch (code) {
    case NOT_FOUND:
      return `${name} does not exist${expected}: ${message}`;
    case PRECONDITION_FAILED:
      return `${name} exists with different properties${expected}: ${message}. Its arguments cannot be changed: drain and delete it and declare it again, or use a policy and run without the permission to configure`;
    case ACCESS_REFUSED:
      return `${name} may not be declared by this user${expected}: ${message}`;
    default:
      return `${name}${expected}: ${message}`;
  }
}

function describe(kind: 'exchange' | 'queue', args: Arguments): string {
  const list = Object.entries(args).map(([name, value]) => `${name}=${value}`);
  return [kind === 'exchange' ? 'a durable topic exchange' : 'a durable queue', ...list].join(' ');
}
