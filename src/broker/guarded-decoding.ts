import { isUtf8 } from 'node:buffer';
import { Duplex } from 'node:stream';
import { ContentHeader, FRAME_HEADER_BYTES } from './content-header.ts';
import { longAt } from './field-table.ts';
import { FrameGuard, type Note, withoutProperties } from './frame-guard.ts';

/** Where the properties of a message have its note. No sender can write a symbol. */
export const NOTE = Symbol('note');
/** Where they have the bytes of its correlation id, else of its message id, that are no UTF-8. */
export const ECHO = Symbol('echo');

/** Properties of a message as they come out of here. */
export interface GuardedProperties {
  [NOTE]?: Note;
  [ECHO]?: Buffer;
}

/** Reading from one connection whose decoder is guarded. */
export interface GuardedReading {
  /** Of a longer body only so many bytes and one are kept. */
  keepBytes: number;
  /** What could not be decoded all the same, and cost the connection; null if nothing. */
  readonly undecodable: string | null;
  /**
   * Reads no more: what comes waits in the broker. Heartbeats go out as before; those of the broker, which nobody reads
   * now, count as heard.
   */
  pause(): void;
  /** Reads on. */
  resume(): void;
  /** While an answer of the broker is waited for everything is read: deliveries may come before it. */
  answer<T>(work: Promise<T>): Promise<T>;
}

const NO_BYTES = Buffer.alloc(0);
/** Shorter than any interval of heartbeats. */
const HEARD_EVERY_MS = 500;

/** A frame as amqplib decodes it, as far as it is looked at here. */
interface Decoded {
  id?: number;
  fields?: GuardedProperties & { correlationId?: string; messageId?: string };
}

/** The id that amqplib gives to a content header: that of its class. */
const CONTENT_HEADER = 60;
const REPLACEMENT = '\uFFFD';
const header = new ContentHeader();

/** What amqplib 2.3.1 keeps to itself: the parts of lib/connection.js that are used here. */
interface Internals {
  stream: Duplex;
  /** Bytes that are read and not decoded. */
  rest: Buffer;
  /** For the heartbeat: whether the other side gave a sign of life. */
  recvSinceLastCheck: boolean;
  /** The next frame decoded, false when there is none. @throws what its decoder throws. */
  recvFrame(): Decoded | false;
}

/**
 * Makes decoding total, in this one place: amqplib decodes headers by recursion, lets what its decoder throws end the
 * connection, gathers bodies of any size, and reads whatever comes. From here on it is given whole frames that it can
 * decode (`FrameGuard`), and reads only while it may. docs/decisions/0007-guarded-decoding.md says why it is done so.
 *
 * @param connection amqplib's own, open and without channels
 * @throws when amqplib is not built as it was
 */
export function guardDecoding(connection: object): GuardedReading {
  const inside = internalsOf(connection);
  const decodeNext = inside.recvFrame.bind(inside) as () => Decoded;
  const guard = new FrameGuard();
  let undecodable: string | null = null;
  let answersDue = 0;
  let listening: NodeJS.Timeout | undefined;

  /** Any content header that cannot be decoded costs its properties, and nothing else. */
  function decode(note: Note | null): Decoded {
    const frames = inside.rest;
    try {
      const frame = decodeNext();
      if (frame.id === CONTENT_HEADER) annotate(frame, note, frames);
      return frame;
    } catch (error) {
      const emptied = withoutProperties(frames);
      if (emptied === null || inside.rest === frames) throw error;
      inside.rest = Buffer.concat([emptied, inside.rest]);
      const frame = decodeNext();
      annotate(frame, { bytes: note?.bytes ?? null, problem: 'properties that cannot be decoded' }, emptied);
      return frame;
    }
  }

  function receive(): Decoded | false {
    for (;;) {
      if (listening !== undefined && answersDue === 0) return false;
      if (inside.rest.length > 0) return decode(guard.note);
      const frames = guard.next();
      if (frames !== null) {
        inside.rest = frames;
        continue;
      }
      const incoming: Buffer | null = inside.stream.read();
      if (incoming === null) return false;
      inside.recvSinceLastCheck = true;
      guard.push(incoming);
    }
  }

  inside.recvFrame = () => {
    try {
      return receive();
    } catch (error) {
      undecodable ??= String(error);
      throw error;
    }
  };
  guard.push(inside.rest);
  inside.rest = NO_BYTES;

  /** amqplib reads when it hears of this; later, since it may be reading just now. */
  const wake = () => {
    setImmediate(() => {
      if (!inside.stream.destroyed) inside.stream.emit('readable');
    });
  };

  return {
    get keepBytes() {
      return guard.keepBytes;
    },
    set keepBytes(bytes) {
      guard.keepBytes = bytes;
    },
    get undecodable() {
      return undecodable;
    },
    pause() {
      listening ??= setInterval(() => {
        inside.recvSinceLastCheck = true;
      }, HEARD_EVERY_MS).unref();
    },
    resume() {
      if (listening === undefined) return;
      clearInterval(listening);
      listening = undefined;
      wake();
    },
    answer(work) {
      answersDue += 1;
      if (listening !== undefined) wake();
      return work.finally(() => {
        answersDue -= 1;
      });
    },
  };
}

/** Puts what was found where whoever takes the message finds it: beside its properties. */
function annotate({ fields }: Decoded, note: Note | null, frames: Buffer): void {
  if (fields === undefined) return;
  if (note !== null) fields[NOTE] = note;
  const { correlationId, messageId } = fields;
  // What decoding leaves of bytes that are no UTF-8; seldom, and then it may be what was sent.
  if (!(correlationId || messageId)?.includes(REPLACEMENT)) return;
  header.read(frames, 0, FRAME_HEADER_BYTES + longAt(frames, 3) + 1);
  const echo = header.echo(frames);
  if (echo !== null && !isUtf8(echo)) fields[ECHO] = echo;
}

function internalsOf(connection: object): Internals {
  const { stream, rest, recvFrame, recvSinceLastCheck } = connection as Partial<Internals>;
  const isAsKnown =
    stream instanceof Duplex &&
    Buffer.isBuffer(rest) &&
    typeof recvFrame === 'function' &&
    typeof recvSinceLastCheck === 'boolean';
  if (!isAsKnown) throw new Error('amqplib is not built as version 2.3.1: its decoder cannot be guarded');
  return connection as Internals;
}
