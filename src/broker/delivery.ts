import type { ConsumeMessage, MessageProperties } from 'amqplib';
import type { RequestProperties } from '../domain/properties.ts';
import { REPLAY_HEADER } from '../domain/replay-header.ts';
import { ECHO, type GuardedProperties, NOTE } from './guarded-decoding.ts';

/** A message in this worker's hand until it is settled or its channel is gone. */
export interface Delivery {
  readonly body: Buffer;
  /** Length of the body as it was sent; `body` is shorter where more than the consumer keeps was sent. */
  readonly bytes: number;
  readonly properties: RequestProperties;
  /** Why the headers could not be taken, or all the properties; undefined where they are. */
  readonly unreadable: string | undefined;
  /** What stands in the header of a replay in place of credentials, '' where that is no text; undefined without one. */
  readonly oneTimeToken: string | undefined;
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
  /**
   * Why it was dead-lettered last, as the broker says it, or whoever wrote `x-death` in its place. Null for never: in
   * `cdrs.dead` it was not routable then.
   */
  reason: string | null;
}

/** Characters; ours have some 80. */
const TOKEN_MAX = 255;
const NO_HEADERS: Readonly<Record<string, unknown>> = Object.freeze({});
const NEVER_DIED: Deaths = Object.freeze({ redeliveries: 0, reason: null });

/** What is used of a message; nothing else of its headers stays in hand with it. */
export function toDelivery(message: ConsumeMessage, epoch: number): Delivery {
  const { content, fields } = message;
  const properties: MessageProperties & GuardedProperties = message.properties;
  const headers: Readonly<Record<string, unknown>> = properties.headers ?? NO_HEADERS;
  const note = properties[NOTE];
  const correlationBytes = properties[ECHO];
  return {
    body: content,
    bytes: note?.bytes ?? content.length,
    properties: {
      contentType: textOf(properties.contentType),
      replyTo: textOf(properties.replyTo),
      correlationId: textOf(properties.correlationId),
      messageId: textOf(properties.messageId),
      routingKey: fields.routingKey,
      ...traceOf(headers.traceparent),
      ...(correlationBytes && { correlationBytes }),
    },
    unreadable: note?.problem ? `invalid message headers: ${note.problem}` : undefined,
    oneTimeToken: tokenOf(headers[REPLAY_HEADER]),
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

function tokenOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return typeof value === 'string' && value.length <= TOKEN_MAX ? value : '';
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function deathsOf(headers: Readonly<Record<string, unknown>>): Deaths {
  const redeliveries = headers['x-delivery-count'];
  const deaths = headers['x-death'];
  if (redeliveries === undefined && deaths === undefined) return NEVER_DIED;
  // The broker puts the latest first.
  const latest = (Array.isArray(deaths) ? deaths : []).find(isCounted);
  const reason = latest === undefined ? null : (textOf(latest.reason) ?? 'unknown');
  return { redeliveries: countOf(redeliveries), reason };
}

function isCounted(death: unknown): death is { count: unknown; reason?: unknown } {
  return typeof death === 'object' && death !== null && 'count' in death && countOf(death.count) > 0;
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
