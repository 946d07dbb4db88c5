import type { ConsumeMessage } from 'amqplib';
import type { RequestProperties } from '../domain/letter.ts';

/** A message in this worker's hand until it is settled or its channel is gone. */
export interface Delivery {
  readonly body: Buffer;
  /** Length of the body as it was sent; `body` is shorter where more than the consumer keeps was sent. */
  readonly bytes: number;
  readonly properties: RequestProperties;
  /** As decoded by the client: whatever the producer put there, its types included. */
  readonly headers: Readonly<Record<string, unknown>>;
  readonly exchange: string;
  readonly redelivered: boolean;
  readonly deaths: Deaths;
  /** Wall clock of the sender, milliseconds since 1970, if it said when it sent the message. */
  readonly sentAt: number | null;
  /** Wall clock, milliseconds since 1970: for the record. */
  readonly receivedAt: number;
  /** Monotonic milliseconds (`performance.now`): for durations and deadlines. */
  readonly receivedTick: number;
  /** Which channel it came on, and its tag there: for the consumer's own bookkeeping. */
  readonly epoch: number;
  readonly tag: number;
}

/** What the broker counted; numbers only, for a client can write anything else into these headers. */
export interface Deaths {
  /**
   * Unsuccessful deliveries before this one (`x-delivery-count`), 0 where the queue does not count. Of a message that
   * another queue gave up on see `redeliveriesSince`.
   */
  redeliveries: number;
  /** Times it was dead-lettered (the counts of `x-death`): 0 in `cdrs.dead` means that it was not routable. */
  deadLettered: number;
}

const NO_HEADERS: Readonly<Record<string, unknown>> = Object.freeze({});
const NEVER_DIED: Deaths = Object.freeze({ redeliveries: 0, deadLettered: 0 });

/**
 * @param keepBytes of a longer body only so much is kept, and one byte more by which it still shows as too long:
 *   a prefetch of huge ones must not fill the memory.
 */
export function toDelivery(message: ConsumeMessage, epoch: number, keepBytes: number): Delivery {
  const { content, fields, properties } = message;
  const headers: Readonly<Record<string, unknown>> = properties.headers ?? NO_HEADERS;
  return {
    // A copy, since a slice would keep the whole alive.
    body: content.length > keepBytes ? Buffer.from(content.subarray(0, keepBytes + 1)) : content,
    bytes: content.length,
    properties: {
      contentType: textOf(properties.contentType),
      replyTo: textOf(properties.replyTo),
      correlationId: textOf(properties.correlationId),
      messageId: textOf(properties.messageId),
      routingKey: fields.routingKey,
      ...traceOf(headers.traceparent),
    },
    headers,
    exchange: fields.exchange,
    redelivered: fields.redelivered,
    deaths: deathsOf(headers),
    sentAt: sentAtOf(properties.timestamp),
    receivedAt: Date.now(),
    receivedTick: performance.now(),
    epoch,
    tag: fields.deliveryTag,
  };
}

/** W3C Trace Context, section 3.2.2: version ff and IDs of zeros alone are not valid. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;
const NO_TRACE: { traceparent?: string } = Object.freeze({});

/** Only what has the exact form is carried on: a header of a producer goes into logs and replies. */
function traceOf(value: unknown): { traceparent?: string } {
  return typeof value === 'string' && TRACEPARENT.test(value) ? { traceparent: value } : NO_TRACE;
}

/** AMQP's `timestamp` is in seconds. */
function sentAtOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value * 1000 : null;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function deathsOf(headers: Readonly<Record<string, unknown>>): Deaths {
  const redeliveries = headers['x-delivery-count'];
  const deaths = headers['x-death'];
  if (redeliveries === undefined && deaths === undefined) return NEVER_DIED;
  let deadLettered = 0;
  for (const death of Array.isArray(deaths) ? deaths : []) {
    if (typeof death === 'object' && death !== null && 'count' in death) deadLettered += countOf(death.count);
  }
  return { redeliveries: countOf(redeliveries), deadLettered };
}

function countOf(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/**
 * Unsuccessful deliveries of a message since a queue gave it up. RabbitMQ 4 hands the count of that queue on with it: the
 * first number above the limit stands there at the first delivery. Up to 4.2 the count then begins at 1, later it may go
 * on from where it was. RabbitMQ 3 begins at 0.
 *
 * @param deliveryLimit of the queue that gave it up
 */
export function redeliveriesSince({ redeliveries }: Deaths, deliveryLimit: number): number {
  const handedOn = deliveryLimit + 1;
  return redeliveries < handedOn ? redeliveries : redeliveries - handedOn;
}
