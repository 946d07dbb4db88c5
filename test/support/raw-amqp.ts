import { type ConfirmChannel, connect } from 'amqplib';

/** The bytes of a message's properties, valid or not. */
export interface RawProperties {
  contentType?: Buffer;
  contentEncoding?: Buffer;
  /** The table without its length. */
  headers?: Buffer;
  deliveryMode?: number;
  priority?: number;
  correlationId?: Buffer;
  replyTo?: Buffer;
  expiration?: Buffer;
  messageId?: Buffer;
  timestamp?: bigint;
  type?: Buffer;
  userId?: Buffer;
  appId?: Buffer;
  clusterId?: Buffer;
}

/** The properties that may hold any text; `expiration` and `userId` are checked by the broker. */
export const TEXT_PROPERTIES = [
  'contentType',
  'contentEncoding',
  'correlationId',
  'replyTo',
  'messageId',
  'type',
  'appId',
  'clusterId',
] as const;

/** In the order of the flags, from the highest bit down, as AMQP 0-9-1 has them. */
const ORDER = [
  'contentType',
  'contentEncoding',
  'headers',
  'deliveryMode',
  'priority',
  'correlationId',
  'replyTo',
  'expiration',
  'messageId',
  'timestamp',
  'type',
  'userId',
  'appId',
  'clusterId',
] as const;

export function shortText(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

export function long(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function frame(type: number, channel: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.of(type, channel >> 8, channel & 0xff), long(payload.length), payload, END]);
}
const END = Buffer.of(0xce);

/** A content header frame, written by hand. */
export function contentHeader(channel: number, bodySize: number, properties: RawProperties): Buffer {
  let flags = 0;
  const parts = ORDER.flatMap((name, index) => {
    const value = properties[name];
    if (value === undefined) return [];
    flags |= 1 << (15 - index);
    if (typeof value === 'number') return [Buffer.of(value)];
    if (typeof value === 'bigint') return [bigLong(value)];
    return name === 'headers' ? [long(value.length), value] : [shortText(value)];
  });
  const start = Buffer.concat([
    Buffer.of(0, 60, 0, 0),
    bigLong(BigInt(bodySize)),
    Buffer.of(flags >> 8, flags & 0xff),
  ]);
  return frame(2, channel, Buffer.concat([start, ...parts]));
}

function bigLong(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

/** One value of a table with its name. */
export function entry(name: string | Buffer, type: string, value: Buffer): Buffer {
  return Buffer.concat([shortText(Buffer.from(name)), Buffer.from(type), value]);
}

/** A table with `depth` tables, or arrays, within each other; without names, so that 20,000 fit into a frame. */
export function nested(depth: number, kind: 'table' | 'array'): Buffer {
  const level = kind === 'table' ? Buffer.from('\0F') : Buffer.from('A');
  const innermost = kind === 'table' ? Buffer.from('\0V') : Buffer.from('V');
  const parts: Buffer[] = [innermost];
  let length = innermost.length;
  for (let i = 0; i < depth; i += 1) {
    parts.push(long(length), level);
    length += 4 + level.length;
  }
  // The outermost value is an entry of the headers table and needs a name.
  if (kind === 'array') parts.push(Buffer.of(0));
  return Buffer.concat(parts.reverse());
}

export interface RawMessage {
  exchange?: string;
  routingKey: Buffer;
  body: Buffer;
  properties: RawProperties;
}

/** Publishes messages byte for byte, without the checks of a client library. */
export interface RawPublisher {
  /** Resolves when all are confirmed. */
  publish(messages: readonly RawMessage[]): Promise<void>;
  close(): Promise<void>;
}

/** Internals of amqplib. */
interface Internals {
  ch: number;
  connection: { channels: { buffer: { write(frames: Buffer): boolean } }[]; frameMax: number };
}

export async function rawPublisher(url: string): Promise<RawPublisher> {
  const connection = await connect(url);
  const channel = await connection.createConfirmChannel();
  let failure: Error | null = null;
  for (const one of [connection, channel])
    one.on('error', (error: Error) => {
      failure = error;
    });
  return {
    async publish(messages) {
      for (const message of messages) send(channel, message);
      await channel.waitForConfirms().catch((error) => {
        throw failure ?? error;
      });
    },
    close: () => connection.close(),
  };
}

/** basic.publish: class 60, method 40. */
const PUBLISH = Buffer.of(0, 60, 0, 40, 0, 0);

function send(
  channel: ConfirmChannel,
  { exchange = 'cdrs', routingKey, body, properties }: RawMessage,
): void {
  const { ch, connection } = channel as unknown as Internals;
  const method = Buffer.concat([
    PUBLISH,
    shortText(Buffer.from(exchange)),
    shortText(routingKey),
    Buffer.of(0),
  ]);
  const frames = [frame(1, ch, method), contentHeader(ch, body.length, properties)];
  const part = connection.frameMax - 8;
  for (let at = 0; at < body.length; at += part) frames.push(frame(3, ch, body.subarray(at, at + part)));
  // amqplib counts what it publishes to match confirms, so it has to know of this message too.
  Reflect.apply(Reflect.get(channel, 'pushConfirmCallback'), channel, [undefined]);
  connection.channels[ch]?.buffer.write(Buffer.concat(frames));
}
