import { isUtf8 } from 'node:buffer';
import { Duplex } from 'node:stream';
import { ContentHeader, frameEnd } from './content-header.ts';
import { FrameGuard, type Note, withoutProperties } from './frame-guard.ts';
import { decodeUsual } from './usual-frames.ts';

/** Controls reading from a connection whose decoder is protected by `guardDecoding`. */
export interface GuardedReading {
  /** Of a longer body only this many bytes plus one are kept. */
  keepBytes: number;
  /** The error of the decoder that ended the connection, else null. */
  readonly undecodable: string | null;
  readonly isPaused: boolean;
  /**
   * Stops reading, so that messages wait in the broker. Heartbeats are still sent; those of the broker, now
   * unread, count as received.
   */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Reads, even if paused, until `work` is done: deliveries may come before the answer that it waits for. */
  answer<T>(work: Promise<T>): Promise<T>;
}

/** Key of a message's note in its properties. A symbol, which no sender can write. */
export const NOTE = Symbol('note');
/** Key of the bytes of its correlation id, else of its message id, if these are not UTF-8. */
export const ECHO = Symbol('echo');

/** What guarded decoding adds to the properties of a message. */
export interface GuardedProperties {
  [NOTE]?: Note;
  [ECHO]?: Buffer;
}

const NO_BYTES = Buffer.alloc(0);
/** Shorter than any heartbeat interval. */
const HEARD_EVERY_MS = 500;

/** A frame as amqplib decodes it: the fields that are used here. */
interface Decoded {
  id?: number;
  fields?: GuardedProperties & { correlationId?: string; messageId?: string };
}

/** amqplib gives a content header the id of its class. */
const CONTENT_HEADER = 60;
const REPLACEMENT = '\uFFFD';
const header = new ContentHeader();

/** Private parts of amqplib 2.3.1 (lib/connection.js). */
interface Internals {
  stream: Duplex;
  /** Bytes read and not decoded. */
  rest: Buffer;
  /** For the heartbeat: whether anything was received. */
  recvSinceLastCheck: boolean;
  /** Decodes the next frame; false if there is none. @throws what the decoder throws. */
  recvFrame(): Decoded | false;
}

/**
 * Protects amqplib from hostile messages. By itself it decodes headers by recursion, ends the connection when
 * its decoder throws, buffers bodies of any size, and cannot stop reading. With the guard it gets only frames
 * that it can decode (`FrameGuard`), and reads only while it may. Why so:
 * docs/decisions/0007-guarded-decoding.md.
 *
 * @param connection amqplib's, open and without channels
 * @throws if amqplib's internals are not those of version 2.3.1
 */
export function guardDecoding(connection: object): GuardedReading {
  const inside = internalsOf(connection);
  const decodeNext = inside.recvFrame.bind(inside) as () => Decoded;
  const guard = new FrameGuard();
  /** Whole frames, decoded up to `at`. */
  let frames: Buffer = NO_BYTES;
  let at = 0;
  let undecodable: string | null = null;
  let answersDue = 0;
  let listening: NodeJS.Timeout | undefined;

  function decodeFrame(): Decoded {
    const start = at;
    at = frameEnd(frames, start);
    const usual = guard.note === null ? decodeUsual(frames, start, at) : null;
    if (usual === null) {
      inside.rest = frames.subarray(start, at);
      return decodeByAmqplib(guard.note);
    }
    if (usual.id === CONTENT_HEADER) annotate(usual, null, frames, start);
    return usual;
  }

  /** If decoding a content header throws all the same, only its properties are lost. */
  function decodeByAmqplib(note: Note | null): Decoded {
    const frames = inside.rest;
    try {
      const frame = decodeNext();
      if (frame.id === CONTENT_HEADER) annotate(frame, note, frames, 0);
      return frame;
    } catch (error) {
      const emptied = withoutProperties(frames);
      if (emptied === null || inside.rest === frames) throw error;
      inside.rest = Buffer.concat([emptied, inside.rest]);
      const frame = decodeNext();
      annotate(
        frame,
        { bytes: note?.bytes ?? null, problem: 'properties that cannot be decoded' },
        emptied,
        0,
      );
      return frame;
    }
  }

  function receive(): Decoded | false {
    for (;;) {
      if (listening !== undefined && answersDue === 0) return false;
      if (at < frames.length) return decodeFrame();
      const next = guard.next();
      if (next !== null) {
        frames = next;
        at = 0;
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

  /** Makes amqplib read. Not at once: it may be reading just now. */
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
    get isPaused() {
      return listening !== undefined;
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

/** Puts the note, and the bytes of the id that a reply returns, into the properties of a content header that begins at `start`. */
function annotate({ fields }: Decoded, note: Note | null, frames: Buffer, start: number): void {
  if (fields === undefined) return;
  if (note !== null) fields[NOTE] = note;
  const { correlationId, messageId } = fields;
  // Decoding replaces bytes that are not UTF-8 by this character. Rarely, the sender wrote it: then the bytes
  // are UTF-8.
  if (!(correlationId || messageId)?.includes(REPLACEMENT)) return;
  header.read(frames, start, frameEnd(frames, start));
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
