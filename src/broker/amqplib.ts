// Workarounds for amqplib. Some use its private parts, so package.json pins the version. What protects its decoder from
// hostile messages is in decoding/, what encodes messages in its place in encoding/.
import type { X509Certificate } from 'node:crypto';
import { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { encodeMessage, FRAME_OVERHEAD, type MessageFields, roomFor } from './encoding/message-frames.ts';

/** Ends a connection at once. Passes an error, without which amqplib would not notice and its heartbeat go on. */
export function destroySocket(model: ChannelModel, reason: string): void {
  const socket = socketOf(model);
  if (socket !== null && !socket.destroyed) socket.destroy(new Error(reason));
}

/** amqplib does not expose its socket; null if this is not where it keeps it. */
function socketOf(model: ChannelModel): Duplex | null {
  const stream: unknown = Reflect.get(model.connection, 'stream');
  return stream instanceof Duplex ? stream : null;
}

/** The broker's certificate; undefined without TLS. */
export function certificateOf(model: ChannelModel): X509Certificate | undefined {
  const socket = socketOf(model);
  return socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
}

/**
 * amqplib writes each message to the socket by itself, and Node makes a system call for each write. This lets all
 * writes of one turn of the event loop go out in one call, which saves a sixth of the CPU time of what amqplib publishes
 * (bench/publishing.ts).
 */
export function corkWrites(model: ChannelModel): void {
  const socket = socketOf(model);
  if (socket === null) return;
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let isCorked = false;
  socket.write = (...args: unknown[]) => {
    if (!isCorked) {
      isCorked = true;
      socket.cork();
      setImmediate(() => {
        isCorked = false;
        socket.uncork();
      });
    }
    return write(...args);
  };
}

/** Methods of AMQP 0-9-1 as amqplib numbers them: class and method. */
const METHOD = {
  declareExchange: (40 << 16) | 10,
  deleteExchange: (40 << 16) | 20,
  bindExchange: (40 << 16) | 30,
  bindQueue: (50 << 16) | 20,
} as const;

export interface UnansweredMethod {
  name: keyof typeof METHOD;
  fields: Readonly<Record<string, unknown>>;
}

/**
 * Sends methods back to back, in one write where `corkWrites` is in use, and asks for no answers; amqplib itself would wait
 * for the answer to each. A refusal closes the channel.
 */
export function sendUnanswered(channel: Channel, methods: readonly UnansweredMethod[]): void {
  const { sendImmediately } = channel as unknown as {
    sendImmediately?: (method: number, fields: Record<string, unknown>) => void;
  };
  if (sendImmediately === undefined) throw new Error('amqplib does not send methods by "sendImmediately"');
  for (const { name, fields } of methods)
    sendImmediately.call(channel, METHOD[name], { ticket: 0, ...fields, nowait: true });
}

/** What amqplib sorts by consumer tag. */
const SORTED = ['delivery', 'cancel'];

export type TakeDelivery = (message: ConsumeMessage) => void;

/**
 * Hands every delivery of a channel to the function that it is consumed with, and its cancellation to a listener of its own
 * (`cancel`). By itself amqplib sorts them by consumer tag, and closes the channel over a delivery that comes after the
 * answer to basic.cancel, which a quorum queue can send. Only for channels with one consumer.
 *
 * @param onConsumed told of that function: the one that `consume` was given, or what instrumentation has put around it
 * @throws if this version of amqplib sorts them in another way
 */
export function takeUnsorted(channel: Channel, onConsumed: (take: TakeDelivery) => void): void {
  for (const event of SORTED) {
    if (channel.listenerCount(event) === 0) throw new Error(`amqplib does not listen for "${event}" itself`);
    channel.removeAllListeners(event);
  }
  const inside = channel as unknown as { registerConsumer?: (tag: string, take: TakeDelivery) => void };
  if (inside.registerConsumer === undefined) throw new Error('amqplib does not "registerConsumer"');
  inside.registerConsumer = (_tag, take) => {
    channel.removeAllListeners('delivery');
    channel.on('delivery', take);
    onConsumed(take);
  };
}

/** Private parts of amqplib 2.3.1: what a channel publishes by. */
interface Publishing {
  ch: number;
  connection: { frameMax: number; stream: Duplex; sendBytes(bytes: Buffer): void };
  sendMessage(fields: MessageFields, properties: MessageFields, body: Buffer): boolean;
}

/** Memory for the messages that are written together: some 200 replies. */
const BLOCK_BYTES = 65_536;

/**
 * Encodes what is published on a channel one message behind the other (`encodeMessage`), and writes it to the socket once in a
 * turn of the event loop. amqplib itself encodes each message in pieces and passes each through two streams, which is half of
 * the CPU time of publishing (bench/publishing.ts). Nor would it take a correlation id in bytes. Frames of other methods,
 * which go through these streams, come later than what was published before them.
 *
 * @throws if amqplib's internals are not those of version 2.3.1, or frames have no room for a body
 */
export function publishInBlocks(channel: Channel): void {
  const inside = publishingOf(channel);
  const { ch, connection } = inside;
  const { frameMax, stream } = connection;
  let block: Buffer = Buffer.alloc(0);
  let written = 0;
  let end = 0;
  let isDue = false;
  const write = () => {
    if (end > written && stream.writable) connection.sendBytes(block.subarray(written, end));
    written = end;
  };
  inside.sendMessage = (fields, _properties, body) => {
    const room = roomFor(fields, body, frameMax);
    if (end + room > block.length) {
      write();
      block = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, room));
      written = 0;
      end = 0;
    }
    end = encodeMessage(block, end, ch, fields, body, frameMax);
    if (isDue) return true;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      write();
    });
    return true;
  };
}

function publishingOf(channel: Channel): Publishing {
  const inside = channel as unknown as Publishing;
  const { ch, connection, sendMessage }: Partial<Publishing> = inside;
  const isKnown =
    typeof ch === 'number' &&
    typeof sendMessage === 'function' &&
    typeof connection?.frameMax === 'number' &&
    typeof connection.sendBytes === 'function' &&
    connection.stream instanceof Duplex;
  if (!isKnown) throw new Error('amqplib is not built as version 2.3.1: messages cannot be encoded for it');
  // amqplib asks this of each message. Without it a body would be split for ever.
  if (connection.frameMax <= FRAME_OVERHEAD)
    throw new Error(`frames of ${connection.frameMax} bytes have no room for a body`);
  return inside;
}
