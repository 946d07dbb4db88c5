/** Names of everything this system has on the broker (interface, section 2), and the one number among them. */
export interface TopologyNames {
  exchange: string;
  queue: string;
  deadExchange: string;
  deadQueue: string;
  resultsExchange: string;
  resultsQueue: string;
  /** Deliveries after which the broker gives a message up to the dead-letter exchange. */
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

export type Arguments = Readonly<Record<string, string | number>>;

/** One thing on the broker, as data. */
export type TopologyObject =
  | { kind: 'exchange'; name: string; arguments: Arguments }
  | { kind: 'queue'; name: string; arguments: Arguments }
  | { kind: 'binding'; queue: string; exchange: string; routingKey: string };

/**
 * "Never give up", in the one spelling that every broker understands: RabbitMQ 3.10 takes -1 for a limit that
 * every redelivery exceeds and drops the message at the first, 4.x takes no limit at all for 20.
 */
export const NO_DELIVERY_LIMIT = 2_147_483_647;

const RESULTS_KEPT_MS = 7 * 24 * 3_600_000;
const RESULTS_KEPT_BYTES = 1024 ** 3;

/** The whole topology in an order in which it can be declared. All exchanges are durable topics. */
export function topologyOf(names: TopologyNames): TopologyObject[] {
  const { exchange, queue, deadExchange, deadQueue, resultsExchange, resultsQueue } = names;
  return [
    { kind: 'exchange', name: deadExchange, arguments: {} },
    // The only copy of a call may be in here: no limit of any kind may drop it.
    {
      kind: 'queue',
      name: deadQueue,
      arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': NO_DELIVERY_LIMIT },
    },
    // Dead letters keep the routing key that they were sent with, so the queue must take every key.
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
        // Takes effect only together with reject-publish; with drop-head the broker silently falls back to
        // dead-lettering that may lose.
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      },
    },
    { kind: 'binding', queue, exchange, routingKey: 'cdrs.create.#' },
  ];
}

/** `queue "cdrs.create"`: how messages name an object. */
export function nameOf(object: TopologyObject): string {
  if (object.kind === 'binding') {
    return `binding "${object.routingKey}" of exchange "${object.exchange}" to queue "${object.queue}"`;
  }
  return `${object.kind} "${object.name}"`;
}
