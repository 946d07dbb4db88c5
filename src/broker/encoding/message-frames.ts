import {
  BASIC,
  BODY,
  FLAGS,
  FRAME_END,
  FRAME_HEADER_BYTES,
  HEADER,
  METHOD,
} from '../decoding/content-header.ts';
import { BOOLEAN, BYTES, DOUBLE, INT_8, INT_16, INT_32, INT_64, TEXT } from '../decoding/field-table.ts';

/** What a message of this system may carry, by amqplib's names. */
export interface MessageFields {
  exchange: string;
  routingKey: string;
  mandatory: boolean;
  contentType?: string | undefined;
  headers?: Readonly<Record<string, HeaderValue | undefined>> | undefined;
  deliveryMode?: number | undefined;
  correlationId?: string | Buffer | undefined;
  replyTo?: string | undefined;
  messageId?: string | undefined;
  type?: string | undefined;
  appId?: string | undefined;
}

export type HeaderValue = string | number | boolean | Buffer;

const BASIC_PUBLISH = (BASIC << 16) | 40;
export const FRAME_OVERHEAD = FRAME_HEADER_BYTES + 1;
/** Bytes of a short string. */
const SHORT_MAX = 255;
const SHORT_STRINGS = 8;
/** As many as amqplib encodes: a content header must fit one frame. */
const HEADERS_BYTES_MAX = 65_536;
const FLAGS_BYTES = 2;
/** Method and content header without short strings and headers. */
const FIXED_BYTES = 64;
/** Most bytes in UTF-8 for a unit of UTF-16. */
const BYTES_PER_UNIT = 3;
/** Length of the name, type, and the longest value with a length of its own. */
const HEADER_FIXED_BYTES = 10;

/** How much `encodeMessage` may write. */
export function roomFor({ headers }: MessageFields, body: Buffer, frameMax: number): number {
  let room = FIXED_BYTES + SHORT_STRINGS * SHORT_MAX * BYTES_PER_UNIT;
  for (const name in headers) {
    const value = headers[name];
    const length = typeof value === 'string' || Buffer.isBuffer(value) ? value.length : 0;
    room += HEADER_FIXED_BYTES + (name.length + length) * BYTES_PER_UNIT;
  }
  const frames = Math.ceil(body.length / (frameMax - FRAME_OVERHEAD));
  return room + body.length + frames * FRAME_OVERHEAD;
}

/**
 * Writes a message as the frames of basic.publish, as amqplib would: method, content header, body. amqplib itself makes some
 * thirty objects of each message. Returns where they end.
 *
 * @param out with `roomFor` the message at `start`
 * @throws for what AMQP cannot express; what was written is of no use then
 */
export function encodeMessage(
  out: Buffer,
  start: number,
  channel: number,
  fields: MessageFields,
  body: Buffer,
  frameMax: number,
): number {
  const header = encodeMethod(out, start, channel, fields);
  const content = encodeHeader(out, header, channel, fields, body.length);
  return encodeBody(out, content, channel, body, frameMax - FRAME_OVERHEAD);
}

function encodeMethod(out: Buffer, start: number, channel: number, fields: MessageFields): number {
  let at = out.writeUInt32BE(BASIC_PUBLISH, start + FRAME_HEADER_BYTES);
  // Reserved.
  at = out.writeUInt16BE(0, at);
  at = encodeShort(out, at, fields.exchange);
  at = encodeShort(out, at, fields.routingKey);
  at = out.writeUInt8(fields.mandatory ? 1 : 0, at);
  return closeFrame(out, start, METHOD, channel, at);
}

function encodeHeader(
  out: Buffer,
  start: number,
  channel: number,
  { contentType, headers, deliveryMode, correlationId, replyTo, messageId, type, appId }: MessageFields,
  bodySize: number,
): number {
  let at = out.writeUInt32BE(BASIC << 16, start + FRAME_HEADER_BYTES);
  // Bodies of 4 GiB and more do not exist here.
  at = out.writeUInt32BE(0, at);
  at = out.writeUInt32BE(bodySize, at);
  const flagsAt = at;
  let flags = 0;
  at += FLAGS_BYTES;
  if (contentType !== undefined) {
    flags |= FLAGS.contentType;
    at = encodeShort(out, at, contentType);
  }
  if (headers !== undefined) {
    flags |= FLAGS.headers;
    at = encodeHeaders(out, at, headers);
  }
  if (deliveryMode !== undefined) {
    flags |= FLAGS.deliveryMode;
    at = out.writeUInt8(deliveryMode, at);
  }
  if (correlationId !== undefined) {
    flags |= FLAGS.correlationId;
    at = encodeShort(out, at, correlationId);
  }
  if (replyTo !== undefined) {
    flags |= FLAGS.replyTo;
    at = encodeShort(out, at, replyTo);
  }
  if (messageId !== undefined) {
    flags |= FLAGS.messageId;
    at = encodeShort(out, at, messageId);
  }
  if (type !== undefined) {
    flags |= FLAGS.type;
    at = encodeShort(out, at, type);
  }
  if (appId !== undefined) {
    flags |= FLAGS.appId;
    at = encodeShort(out, at, appId);
  }
  out.writeUInt16BE(flags, flagsAt);
  return closeFrame(out, start, HEADER, channel, at);
}

function encodeBody(out: Buffer, start: number, channel: number, body: Buffer, payloadMax: number): number {
  let at = start;
  for (let from = 0; from < body.length; from += payloadMax) {
    const size = body.copy(out, at + FRAME_HEADER_BYTES, from, Math.min(body.length, from + payloadMax));
    at = closeFrame(out, at, BODY, channel, at + FRAME_HEADER_BYTES + size);
  }
  return at;
}

/** Puts type, channel and size before a payload that ends at `end`, and the end byte behind it. */
function closeFrame(out: Buffer, start: number, type: number, channel: number, end: number): number {
  out.writeUInt8(type, start);
  out.writeUInt16BE(channel, start + 1);
  out.writeUInt32BE(end - start - FRAME_HEADER_BYTES, start + 3);
  return out.writeUInt8(FRAME_END, end);
}

/** A text or bytes after one byte with their length. */
function encodeShort(out: Buffer, at: number, value: string | Buffer): number {
  const length = value.length > SHORT_MAX ? value.length : writeAt(out, at + 1, value);
  if (length > SHORT_MAX) throw new TypeError(`a short string of more than ${SHORT_MAX} bytes`);
  out.writeUInt8(length, at);
  return at + 1 + length;
}

function writeAt(out: Buffer, at: number, value: string | Buffer): number {
  return typeof value === 'string' ? out.write(value, at) : value.copy(out, at);
}

function encodeHeaders(
  out: Buffer,
  start: number,
  headers: Readonly<Record<string, HeaderValue | undefined>>,
): number {
  let at = start + 4;
  // Inherited ones too: amqplib makes the given headers the prototype of its own.
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    at = encodeShort(out, at, name);
    at = encodeHeaderValue(out, at, value);
  }
  const size = at - start - 4;
  if (size > HEADERS_BYTES_MAX) throw new RangeError(`headers of more than ${HEADERS_BYTES_MAX} bytes`);
  out.writeUInt32BE(size, start);
  return at;
}

function encodeHeaderValue(out: Buffer, at: number, value: HeaderValue): number {
  switch (typeof value) {
    case 'boolean':
      return out.writeUInt8(value ? 1 : 0, out.writeUInt8(BOOLEAN, at));
    case 'number':
      return encodeNumber(out, at, value);
    default: {
      const length = writeAt(out, at + 5, value);
      out.writeUInt32BE(length, out.writeUInt8(typeof value === 'string' ? TEXT : BYTES, at));
      return at + 5 + length;
    }
  }
}

/** In the narrowest type that holds it. */
function encodeNumber(out: Buffer, at: number, value: number): number {
  if (!Number.isSafeInteger(value)) return out.writeDoubleBE(value, out.writeUInt8(DOUBLE, at));
  if (value >= -0x80 && value < 0x80) return out.writeInt8(value, out.writeUInt8(INT_8, at));
  if (value >= -0x8000 && value < 0x8000) return out.writeInt16BE(value, out.writeUInt8(INT_16, at));
  if (value >= -0x80000000 && value < 0x80000000) return out.writeInt32BE(value, out.writeUInt8(INT_32, at));
  return out.writeBigInt64BE(BigInt(value), out.writeUInt8(INT_64, at));
}
