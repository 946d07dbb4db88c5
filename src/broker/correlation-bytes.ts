import type { Duplex } from 'node:stream';
import type { Channel } from 'amqplib';
import { ContentHeader, FRAME_HEADER_BYTES, HEADER } from './decoding/content-header.ts';
import { longAt } from './decoding/field-table.ts';

/** Private parts of amqplib 2.3.1: where a channel writes its frames. */
interface Internals {
  ch: number;
  connection: { channels: readonly ({ buffer: Duplex } | null)[] };
}

const header = new ContentHeader();

/**
 * Publishes with any bytes as correlation id. AMQP allows them and a reply must return what the sender used,
 * but amqplib takes a text and writes UTF-8. So it publishes a text of the same length, and the frames that
 * it writes get the bytes in its place.
 *
 * @param bytes at most 255
 * @throws what `publish` throws
 */
export function withCorrelationBytes(
  channel: Channel,
  bytes: Buffer,
  publish: (correlationId: string) => void,
): void {
  const { ch, connection } = channel as unknown as Internals;
  const out = connection.channels[ch]?.buffer;
  if (out === undefined) throw new Error('the channel is closed');
  const write = out.write.bind(out) as (frames: Buffer) => boolean;
  out.write = (frames: Buffer) => write(replaced(frames, bytes));
  try {
    publish('x'.repeat(bytes.length));
  } finally {
    Reflect.deleteProperty(out, 'write');
  }
}

/** Overwrites the correlation id in the content header among these frames. */
function replaced(frames: Buffer, bytes: Buffer): Buffer {
  for (let at = 0; at + FRAME_HEADER_BYTES < frames.length; ) {
    const end = at + FRAME_HEADER_BYTES + longAt(frames, at + 3) + 1;
    if (frames[at] === HEADER) {
      header.read(frames, at, end);
      bytes.copy(frames, header.echoAt);
    }
    at = end;
  }
  return frames;
}
