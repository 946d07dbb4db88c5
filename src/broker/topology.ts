import { operations } from '../domain/operation.ts';

/** Names of everything that this system has on the broker, and the delivery limit. */
export interface TopologyNames {
  exchange: string;
  intakeExchange: string;
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
  intakeExchange: 'cdrs.intake',
  queue: 'cdrs.create',
  deadExchange: 'cdrs.dead',
  deadQueue: 'cdrs.dead',
  resultsExchange: 'cdrs.results',
  resultsQueue: 'cdrs.results',
  deliveryLimit: 20,
});

type Arguments = Readonly<Record<string, string | number>>;

export type ExchangeType = 'topic' | 'fanout' | 'direct';

/** A durable exchange, as data. */
export interface ExchangeObject {
  kind: 'exchange';
  name: string;
  type: ExchangeType;
  /** Clients may not publish to it. */
  isInternal: boolean;
  arguments: Arguments;
}

export interface BindingObject {
  kind: 'binding';
  exchange: string;
  to: 'queue' | 'exchange';
  destination: string;
  routingKey: string;
}

/** An exchange, a queue or a binding, as data. */
export type TopologyObject =
  | ExchangeObject
  | { kind: 'queue'; name: string; arguments: Arguments }
  | BindingObject;

/** The exchange of a feed. A direct exchange has keys, the others have none. */
export interface FeedExchange {
  exchange: string;
  type: ExchangeType;
  keys?: readonly string[] | undefined;
}

/**
 * The one way to say "no limit" that every broker understands. To RabbitMQ 3.10 a limit of -1 is exceeded by
 * the first redelivery; 4.x assumes a limit of 20 if none is given.
 */
export const NO_DELIVERY_LIMIT = 2_147_483_647;

const RESULTS_KEPT_MS = 7 * 24 * 3_600_000;
const RESULTS_KEPT_BYTES = 1024 ** 3;

/**
 * The whole topology, in an order in which nothing that is published meanwhile is lost: what is behind an exchange is
 * there before the exchange.
 */
export function topologyOf(
  names: TopologyNames,
  feeds: readonly FeedExchange[] = [],
): readonly TopologyObject[] {
  const { exchange, intakeExchange, queue, deadExchange, deadQueue, resultsExchange, resultsQueue } = names;
  return [
    topic(deadExchange),
    // May hold the only copy of a call, so no limit of any kind may drop it.
    {
      kind: 'queue',
      name: deadQueue,
      arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': NO_DELIVERY_LIMIT },
    },
    // Dead letters keep their routing key, so the queue must take every key.
    toQueue(deadExchange, deadQueue, '#'),
    topic(resultsExchange),
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
    toQueue(resultsExchange, resultsQueue, 'cdrs.result.#'),
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
    // A mistyped routing key sends a call to the dead letters instead of nowhere.
    { ...topic(intakeExchange), isInternal: true, arguments: { 'alternate-exchange': deadExchange } },
    ...operations.map((operation) => toQueue(intakeExchange, queue, `cdrs.${operation}.#`)),
    frontOf(names),
    { kind: 'binding', exchange, to: 'exchange', destination: intakeExchange, routingKey: '#' },
    ...feeds.flatMap((feed) => feedObjects(feed, queue)),
  ];
}

/** The exchange of a feed, without arguments as switches declare it, and its way to the queue. */
export function feedObjects({ exchange, type, keys }: FeedExchange, queue: string): TopologyObject[] {
  const routingKeys = type === 'direct' ? (keys ?? []) : [type === 'topic' ? '#' : ''];
  return [
    { kind: 'exchange', name: exchange, type, isInternal: false, arguments: {} },
    ...routingKeys.map((key) => toQueue(exchange, queue, key)),
  ];
}

/** The exchange that switches publish to, without arguments because switches declare it themselves and are refused by any. */
export function frontOf({ exchange }: TopologyNames): ExchangeObject {
  return topic(exchange);
}

function topic(name: string): ExchangeObject {
  return { kind: 'exchange', name, type: 'topic', isInternal: false, arguments: {} };
}

function toQueue(exchange: string, queue: string, routingKey: string): BindingObject {
  return { kind: 'binding', exchange, to: 'queue', destination: queue, routingKey };
}

/** How messages name an object, as in `queue "cdrs.create"`. */
export function nameOf(object: TopologyObject): string {
  if (object.kind === 'binding') {
    const { routingKey, exchange, to, destination } = object;
    return `binding "${routingKey}" of exchange "${exchange}" to ${to} "${destination}"`;
  }
  return `${object.kind} "${object.name}"`;
}
