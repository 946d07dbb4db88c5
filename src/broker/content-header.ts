import { longAt, problemOfTable } from './field-table.ts';

/** Types of frames. */
export const HEADER = 2;
export const BODY = 3;
/** Of a frame: type (1), channel (2), size (4); the payload and one byte that ends it follow. */
export const FRAME_HEADER_BYTES = 7;
export const FRAME_END = 0xce;
/** The class of messages, the only one that has content. */
const BASIC = 60;
/** Of a content header: class (2), weight (2), size of the body (8), flags (2); the properties follow. */
const PROPERTIES_AT = FRAME_HEADER_BYTES + 14;
const BODY_SIZE_AT = FRAME_HEADER_BYTES + 4;
const FLAGS_AT = FRAME_HEADER_BYTES + 12;

const HEADERS_FLAG = 1 << 13;
const DELIVERY_MODE_FLAG = 1 << 12;
const PRIORITY_FLAG = 1 << 11;
const CORRELATION_FLAG = 1 << 10;
const MESSAGE_ID_FLAG = 1 << 7;
const TIMESTAMP_FLAG = 1 << 6;
const HIGHEST_BIT = 1 << 31;
/** Nothing that AMQP 0-9-1 knows: more flags, or a property that is none. */
const UNKNOWN_FLAGS = 0b11;

const ILLEGIBLE = 'malformed properties';

/** What one look at a content header found; valid until the next. */
export class ContentHeader {
  /** Bytes of the body that follows. */
  bodySize = 0;
  /** Why the headers cannot be taken as they are; null where they can, or where there are none. */
  problem: string | null = null;
  /** Whether the properties beside the headers can be told apart. */
  hasProperties = true;
  #tableAt = 0;
  #afterTable = 0;
  /** Of the text that a reply carries back: the correlation id, else the message id. Its length is in front of it. */
  #echoAt = 0;

  /**
   * Looks at a whole frame. Nothing is decoded and nothing allocated where all is well.
   *
   * @param start of the frame, `end` behind it
   */
  read(bytes: Buffer, start: number, end: number): void {
    this.problem = null;
    this.hasProperties = true;
    this.#tableAt = 0;
    this.#echoAt = 0;
    const last = end - 1;
    if (start + PROPERTIES_AT > last) {
      this.bodySize = 0;
      this.giveUp(ILLEGIBLE);
      return;
    }
    this.bodySize = longAt(bytes, start + BODY_SIZE_AT) * 2 ** 32 + longAt(bytes, start + BODY_SIZE_AT + 4);
    const flags = flagsAt(bytes, start);
    let at = start + PROPERTIES_AT;
    for (let left = flags & ~UNKNOWN_FLAGS; left !== 0 && at <= last; ) {
      const flag = HIGHEST_BIT >>> Math.clz32(left);
      left &= ~flag;
      switch (flag) {
        case DELIVERY_MODE_FLAG:
        case PRIORITY_FLAG:
          at += 1;
          break;
        case TIMESTAMP_FLAG:
          at += 8;
          break;
        case HEADERS_FLAG:
          this.#tableAt = at;
          at += 4 + longAt(bytes, at);
          this.#afterTable = at;
          if (at <= last) this.problem = problemOfTable(bytes, this.#tableAt + 4, at);
          break;
        case CORRELATION_FLAG:
          if (bytes[at] !== 0) this.#echoAt = at;
          at += 1 + (bytes[at] ?? 0);
          break;
        case MESSAGE_ID_FLAG:
          if (this.#echoAt === 0 && bytes[at] !== 0) this.#echoAt = at;
          at += 1 + (bytes[at] ?? 0);
          break;
        default:
          at += 1 + (bytes[at] ?? 0);
      }
    }
    if (at !== last || (flags & UNKNOWN_FLAGS) !== 0) this.giveUp(ILLEGIBLE);
  }

  /** Where the text begins that a reply carries back; 0 where there is none. */
  get echoAt(): number {
    return this.#echoAt === 0 ? 0 : this.#echoAt + 1;
  }

  /** The bytes of that text; null where there is none. */
  echo(bytes: Buffer): Buffer | null {
    const { echoAt } = this;
    return echoAt === 0 ? null : Buffer.from(bytes.subarray(echoAt, echoAt + (bytes[echoAt - 1] ?? 0)));
  }

  /**
   * The same frame for a body of `bodySize`, without the headers where they are the problem, without any property
   * where these cannot be told apart.
   */
  rewritten(bytes: Buffer, start: number, end: number, bodySize: number): Buffer {
    if (!this.hasProperties) return emptyHeader(bytes, start, bodySize);
    const isKept = this.problem === null;
    const [before, after] = isKept ? [end, end] : [this.#tableAt, this.#afterTable];
    const frame = Buffer.concat([bytes.subarray(start, before), bytes.subarray(after, end)]);
    if (!isKept) frame.writeUInt16BE(flagsAt(bytes, start) & ~HEADERS_FLAG, FLAGS_AT);
    return hashed(frame, bodySize);
  }

  /** Nothing of the properties can be kept. */
  giveUp(problem: string): void {
    this.problem = problem;
    this.hasProperties = false;
    this.#echoAt = 0;
  }
}

/** A content header without any property in place of the one that begins at `start`. */
export function emptyHeader(bytes: Buffer, start: number, bodySize: number): Buffer {
  const frame = Buffer.alloc(PROPERTIES_AT + 1);
  bytes.copy(frame, 0, start, start + FRAME_HEADER_BYTES);
  frame.writeUInt16BE(BASIC, FRAME_HEADER_BYTES);
  return hashed(frame, bodySize);
}

function hashed(frame: Buffer, bodySize: number): Buffer {
  frame.writeUInt32BE(frame.length - FRAME_HEADER_BYTES - 1, 3);
  frame.writeBigUInt64BE(BigInt(bodySize), BODY_SIZE_AT);
  frame.writeUInt8(FRAME_END, frame.length - 1);
  return frame;
}

function flagsAt(bytes: Buffer, start: number): number {
  return ((bytes[start + FLAGS_AT] ?? 0) << 8) | (bytes[start + FLAGS_AT + 1] ?? 0);
}
