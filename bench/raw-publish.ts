import type { Channel } from 'amqplib';

const FRAME_END = 0xce;
const BASIC = 60;
const PUBLISH = 40;
const METHOD_FRAME = 1;
const HEADER_FRAME = 2;
const BODY_FRAME = 3;
const HAS_HEADERS = 0x2000;

/**
 * Publishes with a header table that is given as bytes: amqplib cannot encode what a hostile program can send. The
 * channel must not use confirms, which would count this message as one of its own.
 *
 * @param headers the fields of the table, without its length
 */
export function publishRaw(
  channel: Channel,
  exchange: string,
  routingKey: string,
  headers: Buffer,
  body: Buffer,
): void {
  const method = Buffer.concat([
    short(BASIC),
    short(PUBLISH),
    short(0),
    text(exchange),
    text(routingKey),
    Buffer.of(0),
  ]);
  const length = Buffer.alloc(8);
  length.writeUInt32BE(body.length, 4);
  const header = Buffer.concat([
    short(BASIC),
    short(0),
    length,
    short(HAS_HEADERS),
    long(headers.length),
    headers,
  ]);
  const frames = [
    frame(channel, METHOD_FRAME, method),
    frame(channel, HEADER_FRAME, header),
    frame(channel, BODY_FRAME, body),
  ];
  const number = numberOf(channel);
  const outgoing = Reflect.get(channel.connection, 'channels')[number].buffer;
  outgoing.write(Buffer.concat(frames));
}

/** A table within a table, or a list within a list, so many levels deep: a field of a header table. */
export function nested(kind: 'table' | 'list', depth: number): Buffer {
  const [type, level] =
    kind === 'table' ? ['F', Buffer.concat([text('a'), Buffer.from('F')])] : ['A', Buffer.from('A')];
  let inner: Buffer[] = [];
  let size = 0;
  for (let at = 0; at < depth; at += 1) {
    // Written from the inside out: each level is its type (and name) and the length of what it holds.
    inner.push(Buffer.concat([level, long(size)]));
    size += level.length + 4;
  }
  inner = inner.reverse();
  return Buffer.concat([text('a'), Buffer.from(type), long(size), ...inner]);
}

function frame(channel: Channel, type: number, payload: Buffer): Buffer {
  return Buffer.concat([
    Buffer.of(type),
    short(numberOf(channel)),
    long(payload.length),
    payload,
    Buffer.of(FRAME_END),
  ]);
}

/** amqplib keeps a channel's number to itself. */
function numberOf(channel: Channel): number {
  return Number(Reflect.get(channel, 'ch'));
}

function short(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function long(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.of(Buffer.byteLength(value)), Buffer.from(value)]);
}
