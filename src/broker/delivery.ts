import type { ConsumeMessage, MessageProperties } from 'amqplib';
import { CORRECTION_HEADER } from '../domain/correction-header.ts';
import type { RequestProperties } from '../domain/properties.ts';
import { REPLAY_HEADER } from '../domain/replay-header.ts';
import { ECHO, type GuardedProperties, NOTE } from './decoding/guarded-decoding.ts';
import type { InContext } from './followed-messages.ts';

/** A message as it was delivered; in flight until it is acknowledged or its channel is gone. */
export interface Delivery {
  readonly body: Buffer;
  /** Length of the body as it was sent. `body` is shorter if that is more than the consumer keeps. */
  readonly bytes: number;
  readonly properties: RequestProperties;
  /** Why the headers, or all properties, could not be read; undefined if they could. */
  readonly unreadable: string | undefined;
  /** The header of a replay, which has its one-time token; '' if it is not a text, undefined without it. */
  readonly replayHeader: string | undefined;
  /** The same of a correction that an operator has ordered. */
  readonly correctionHeader: string | undefined;
  readonly exchange: string;
  /** The broker may have delivered it before, to this queue's consumers or to those of the queue that it died in. */
  readonly redelivered: boolean;
  readonly deaths: Deaths;
  /** The sender's wall clock, milliseconds since 1970, if it set `timestamp`. */
  readonly sentAt: number | null;
  /** Wall clock, milliseconds since 1970: for records. */
  readonly receivedAt: number;
  /** Monotonic milliseconds (`performance.now`): for durations and deadlines. */
  readonly receivedTick: number;
  /** The channel that it came on and its delivery tag there. For the consumer only. */
  readonly epoch: number;
  readonly tag: number;
  /** Where instrumentation follows it. */
  readonly inContext?: InContext;
}

/**
 * The broker's record of failed deliveries. Anything but a number is ignored: a client can write these
 * headers too.
 */
export interface Deaths {
  /**
   * Failed deliveries before this one (`x-delivery-count`), 0 if the queue does not count. For a message that
   * was dead-lettered by another queue see `redeliveriesSince`.
   */
  redeliveries: number;
  /**
   * Why it was dead-lettered last, as `x-death` says. Null if it never was; a message in `cdrs.dead` was
   * unroutable then.
   */
  reason: string | null;
  /** Where it had been published to when it was dead-lettered last. Believed only where clients cannot write it. */
  exchange: string | null;
}

/**
 * Whether a broker writes `x-death` by itself. RabbitMQ 3 goes on from what the client wrote there: an entry for the same
 * queue and reason keeps the client's exchange. RabbitMQ 4 does not read what clients write and replaces it
 * when a message is dead-lettered.
 */
export function keepsOwnDeaths(serverVersion: string): boolean {
  return Number(/^\d+(?=\.)/.exec(serverVersion)?.[0] ?? 0) >= 4;
}

/** Where RabbitMQ puts ids of AMQP 1.0 that are no short strings. */
export const CORRELATION_HEADER = 'x-correlation-id';
const MESSAGE_ID_HEADER = 'x-message-id';
/** Bytes or characters of an id in a header: each is kept while its message is in hand. */
const HEADER_ID_MAX = 1024;
/** Characters. A genuine header has about 80. */
const TOKEN_HEADER_MAX = 255;
const NO_HEADERS: Readonly<Record<string, unknown>> = Object.freeze({});
const NEVER_DIED: Deaths = Object.freeze({ redeliveries: 0, reason: null, exchange: null });

/** Takes out of a message what is used later, so that its other headers can be freed. */
export function toDelivery(message: ConsumeMessage, epoch: number): Delivery {
  const { content, fields } = message;
  const properties: MessageProperties & GuardedProperties = message.properties;
  const headers: Readonly<Record<string, unknown>> = properties.headers ?? NO_HEADERS;
  const deaths = deathsOf(headers);
  const note = properties[NOTE];
  const kept: RequestProperties = {
    contentType: textOf(properties.contentType),
    replyTo: textOf(properties.replyTo),
    correlationId: textOf(properties.correlationId),
    messageId: textOf(properties.messageId),
    routingKey: fields.routingKey,
  };
  const traceparent = traceOf(headers.traceparent);
  if (traceparent !== undefined) kept.traceparent = traceparent;
  const correlationBytes = properties[ECHO];
  if (correlationBytes !== undefined) kept.correlationBytes = correlationBytes;
  const correlationHeader = correlationHeaderOf(properties, headers);
  if (correlationHeader !== undefined) kept.correlationHeader = correlationHeader;
  return {
    body: content,
    bytes: note?.bytes ?? content.length,
    properties: kept,
    unreadable: note?.problem ? `invalid message headers: ${note.problem}` : undefined,
    replayHeader: tokenHeaderOf(headers[REPLAY_HEADER]),
    correctionHeader: tokenHeaderOf(headers[CORRECTION_HEADER]),
    exchange: fields.exchange,
    redelivered: fields.redelivered || deaths.redeliveries > 0,
    deaths,
    sentAt: sentAtOf(properties.timestamp),
    receivedAt: Date.now(),
    receivedTick: performance.now(),
    epoch,
    tag: fields.deliveryTag,
  };
}

/** W3C Trace Context, section 3.2.2: version ff and all-zero IDs are invalid. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;

/** Only the exact form is passed on: the producer's header goes into logs and replies. */
function traceOf(value: unknown): string | undefined {
  return typeof value === 'string' && TRACEPARENT.test(value) ? value : undefined;
}

/** The id that a reply returns, if it is in a header: as for short strings, the correlation id comes first. */
function correlationHeaderOf(
  { correlationId, messageId }: MessageProperties,
  headers: Readonly<Record<string, unknown>>,
): string | Buffer | undefined {
  if (headers === NO_HEADERS || correlationId) return undefined;
  const id = headers[CORRELATION_HEADER] ?? (messageId ? undefined : headers[MESSAGE_ID_HEADER]);
  if (!(typeof id === 'string' || Buffer.isBuffer(id)) || id.length > HEADER_ID_MAX) return undefined;
  // A copy: the bytes are a view of all that was read with them.
  return typeof id === 'string' ? id : Buffer.from(id);
}

/** AMQP's `timestamp` is in seconds. */
function sentAtOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value * 1000 : null;
}

function tokenHeaderOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return typeof value === 'string' && value.length <= TOKEN_HEADER_MAX ? value : '';
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
  return { redeliveries: countOf(redeliveries), reason, exchange: textOf(latest?.exchange) };
}

function isCounted(death: unknown): death is { count: unknown; reason?: unknown; exchange?: unknown } {
  return typeof death === 'object' && death !== null && 'count' in death && countOf(death.count) > 0;
}

function countOf(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/**
 * Failed deliveries of a message since another queue dead-lettered it at its delivery limit. RabbitMQ 3
 * counts from 0 again. RabbitMQ 4 hands the old count on: the first delivery shows `deliveryLimit + 1`. After
 * that, up to 4.2 it counts from 1; later versions may continue.
 *
 * | deliveries from the new queue, limit 20 | 1st | 2nd | 3rd |
 * | --- | --- | --- | --- |
 * | RabbitMQ 3 | 0 | 1 | 2 |
 * | RabbitMQ 4.0 to 4.2 | 21 | 1 | 2 |
 * | RabbitMQ later | 21 | 22 | 23 |
 *
 * @param deliveryLimit of the queue that dead-lettered it
 */
export function redeliveriesSince({ redeliveries }: Deaths, deliveryLimit: number): number {
  const handedOn = deliveryLimit + 1;
  return redeliveries < handedOn ? redeliveries : redeliveries - handedOn;
}
