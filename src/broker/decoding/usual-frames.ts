import {
  BASIC,
  BODY,
  BODY_SIZE_AT,
  FLAGS,
  FLAGS_AT,
  FRAME_END,
  FRAME_HEADER_BYTES,
  HEADER,
  METHOD,
  PROPERTIES_AT,
} from './content-header.ts';
import { BOOLEAN, INT_8, INT_16, INT_32, INT_64, longAt, shortAt, TEXT, widthAt } from './field-table.ts';

/** A frame in the form in which amqplib accepts it: a method or a content header by its id, or content. */
export interface Frame {
  id?: number;
  channel: number;
  /** Of the body that follows a content header. */
  size?: number;
  fields?: object;
  content?: Buffer;
}

export const BASIC_DELIVER = (BASIC << 16) | 60;
const BASIC_ACK = (BASIC << 16) | 80;
const LONG_LONG_BYTES = 8;
/** Flags of properties that messages seldom have. */
const UNUSUAL = ~Object.values(FLAGS).reduce((all: number, flag) => all | flag, 0);

type Headers = Record<string, string | number | boolean>;

/** Texts that are remembered of one property; a power of two. */
const REMEMBERED = 16;

/** A short string of which most messages have one of a few, told apart by its last byte: their texts are not made again. */
class RepeatedText {
  readonly #known = Array.from({ length: REMEMBERED }, () => ({ bytes: Buffer.alloc(0), text: '' }));

  read(bytes: Buffer, at: number): string {
    const length = bytes[at] ?? 0;
    const place = (bytes[at + length] ?? 0) & (REMEMBERED - 1);
    const known = this.#known[place];
    if (known !== undefined && isAt(bytes, at + 1, length, known.bytes)) return known.text;
    // A copy: the bytes are a view of all that was read with them.
    const copy = Buffer.from(bytes.subarray(at + 1, at + 1 + length));
    const text = copy.toString();
    this.#known[place] = { bytes: copy, text };
    return text;
  }
}

function isAt(bytes: Buffer, start: number, length: number, known: Buffer): boolean {
  if (known.length !== length) return false;
  for (let i = 0; i < length; i += 1) if (known[i] !== bytes[start + i]) return false;
  return true;
}

const consumerTags = new RepeatedText();
const exchanges = new RepeatedText();
const routingKeys = new RepeatedText();
const contentTypes = new RepeatedText();
const replyTos = new RepeatedText();

/**
 * Decodes the frames that come with every message and every confirm as amqplib would, without the objects that it makes of
 * each on the way. Null for all others, which amqplib decodes, as it does rare properties and headers that are no text, integer
 * or boolean; and for what it would refuse.
 *
 * @param start of a whole frame; `end` is the byte after it
 */
export function decodeUsual(bytes: Buffer, start: number, end: number): Frame | null {
  const payload = start + FRAME_HEADER_BYTES;
  if (bytes[end - 1] !== FRAME_END) return null;
  const channel = shortAt(bytes, start + 1);
  switch (bytes[start]) {
    case BODY:
      return { channel, content: bytes.subarray(payload, end - 1) };
    case HEADER:
      return shortAt(bytes, payload) === BASIC ? decodeHeader(bytes, start, end - 1, channel) : null;
    case METHOD: {
      const id = longAt(bytes, payload);
      if (id === BASIC_DELIVER) return decodeDeliver(bytes, payload + 4, end - 1, channel);
      return id === BASIC_ACK ? decodeAck(bytes, payload + 4, end - 1, channel) : null;
    }
    default:
      return null;
  }
}

function decodeDeliver(bytes: Buffer, start: number, end: number, channel: number): Frame | null {
  const tag = afterShort(bytes, start);
  const exchange = tag + LONG_LONG_BYTES + 1;
  const routingKey = afterShort(bytes, exchange);
  if (afterShort(bytes, routingKey) !== end) return null;
  const fields = {
    consumerTag: consumerTags.read(bytes, start),
    deliveryTag: longLongAt(bytes, tag),
    redelivered: ((bytes[tag + LONG_LONG_BYTES] ?? 0) & 1) === 1,
    exchange: exchanges.read(bytes, exchange),
    routingKey: routingKeys.read(bytes, routingKey),
  };
  return { id: BASIC_DELIVER, channel, fields };
}

function decodeAck(bytes: Buffer, start: number, end: number, channel: number): Frame | null {
  if (start + LONG_LONG_BYTES + 1 !== end) return null;
  const multiple = ((bytes[start + LONG_LONG_BYTES] ?? 0) & 1) === 1;
  return { id: BASIC_ACK, channel, fields: { deliveryTag: longLongAt(bytes, start), multiple } };
}

function decodeHeader(bytes: Buffer, start: number, end: number, channel: number): Frame | null {
  const flags = shortAt(bytes, start + FLAGS_AT);
  if (flags === 0 || (flags & UNUSUAL) !== 0) return null;
  // All that amqplib knows, in its order.
  const fields = {
    contentType: undefined as string | undefined,
    contentEncoding: undefined,
    headers: undefined as Headers | undefined,
    deliveryMode: undefined as number | undefined,
    priority: undefined,
    correlationId: undefined as string | undefined,
    replyTo: undefined as string | undefined,
    expiration: undefined,
    messageId: undefined as string | undefined,
    timestamp: undefined as number | undefined,
    type: undefined as string | undefined,
    userId: undefined,
    appId: undefined as string | undefined,
    clusterId: undefined,
  };
  let at = start + PROPERTIES_AT;
  if ((flags & FLAGS.contentType) !== 0) {
    fields.contentType = contentTypes.read(bytes, at);
    at = afterShort(bytes, at);
  }
  if ((flags & FLAGS.headers) !== 0) {
    const after = at + 4 + longAt(bytes, at);
    const headers = after <= end ? decodeTable(bytes, at + 4, after) : null;
    if (headers === null) return null;
    fields.headers = headers;
    at = after;
  }
  if ((flags & FLAGS.deliveryMode) !== 0) {
    fields.deliveryMode = bytes[at];
    at += 1;
  }
  if ((flags & FLAGS.correlationId) !== 0) {
    fields.correlationId = textAt(bytes, at);
    at = afterShort(bytes, at);
  }
  if ((flags & FLAGS.replyTo) !== 0) {
    fields.replyTo = replyTos.read(bytes, at);
    at = afterShort(bytes, at);
  }
  if ((flags & FLAGS.messageId) !== 0) {
    fields.messageId = textAt(bytes, at);
    at = afterShort(bytes, at);
  }
  if ((flags & FLAGS.timestamp) !== 0) {
    fields.timestamp = longLongAt(bytes, at);
    at += LONG_LONG_BYTES;
  }
  if ((flags & FLAGS.type) !== 0) {
    fields.type = textAt(bytes, at);
    at = afterShort(bytes, at);
  }
  if ((flags & FLAGS.appId) !== 0) {
    fields.appId = textAt(bytes, at);
    at = afterShort(bytes, at);
  }
  return at === end ? { id: BASIC, channel, size: longLongAt(bytes, start + BODY_SIZE_AT), fields } : null;
}

/** Null for a value of another type, or one that exceeds its table. */
function decodeTable(bytes: Buffer, start: number, end: number): Headers | null {
  const headers: Headers = {};
  for (let at = start; at < end; ) {
    const name = textAt(bytes, at);
    const type = afterShort(bytes, at);
    const value = decodeValue(bytes, type);
    if (value === null) return null;
    headers[name] = value;
    at = type + 1 + widthAt(bytes, type);
    if (at > end) return null;
  }
  return headers;
}

function decodeValue(bytes: Buffer, type: number): Headers[string] | null {
  const at = type + 1;
  if (at + widthAt(bytes, type) > bytes.length) return null;
  switch (bytes[type]) {
    case TEXT:
      return bytes.toString('utf8', at + 4, at + 4 + longAt(bytes, at));
    case BOOLEAN:
      return bytes[at] !== 0;
    case INT_8:
      return bytes.readInt8(at);
    case INT_16:
      return bytes.readInt16BE(at);
    case INT_32:
      return bytes.readInt32BE(at);
    case INT_64:
      return Number(bytes.readBigInt64BE(at));
    default:
      return null;
  }
}

function textAt(bytes: Buffer, at: number): string {
  return bytes.toString('utf8', at + 1, afterShort(bytes, at));
}

function afterShort(bytes: Buffer, at: number): number {
  return at + 1 + (bytes[at] ?? 0);
}

function longLongAt(bytes: Buffer, at: number): number {
  return longAt(bytes, at) * 2 ** 32 + longAt(bytes, at + 4);
}
