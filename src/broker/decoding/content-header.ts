import { longAt, problemOfTable, shortAt } from './field-table.ts';

/** Frame types. */
export const METHOD = 1;
export const HEADER = 2;
export const BODY = 3;
/** Type (1), channel (2), size (4). The payload and one end byte follow. */
export const FRAME_HEADER_BYTES = 7;
export const FRAME_END = 0xce;
/** The class of messages. No other has content. */
export const BASIC = 60;
/** A content header has class (2), weight (2), body size (8) and flags (2). The properties follow. */
export const PROPERTIES_AT = FRAME_HEADER_BYTES + 14;
export const BODY_SIZE_AT = FRAME_HEADER_BYTES + 4;
export const FLAGS_AT = FRAME_HEADER_BYTES + 12;

/** The flags of the properties that messages usually have. */
export const FLAGS = {
  contentType: 1 << 15,
  headers: 1 << 13,
  deliveryMode: 1 << 12,
  correlationId: 1 << 10,
  replyTo: 1 << 9,
  messageId: 1 << 7,
  timestamp: 1 << 6,
  type: 1 << 5,
  appId: 1 << 3,
} as const;
const PRIORITY_FLAG = 1 << 11;
const HIGHEST_BIT = 1 << 31;
/** AMQP 0-9-1 defines nothing for these: more flags, or an unknown property. */
const UNKNOWN_FLAGS = 0b11;

const ILLEGIBLE = 'malformed properties';

/**
 * Reads where things are in a content header, the frame with a message's properties. One object for all
 * messages: the fields are valid until the next `read`.
 */
export class ContentHeader {
  /** Bytes of the message body. */
  bodySize = 0;
  /** Why the headers cannot be decoded; null if they can, or if there are none. */
  problem: string | null = null;
  /** Whether the properties other than the headers can be kept. */
  hasProperties = true;
  #tableAt = 0;
  #afterTable = 0;
  /** The id that a reply returns: the correlation id, else the message id. Its length byte is here. */
  #echoAt = 0;

  /**
   * Scans a whole frame. Decodes nothing, and allocates nothing if all is well.
   *
   * @param start of the frame; `end` is the byte after it
   */
  read(bytes: Buffer, start: number, end: number): void {
    this.problem = null;
    this.hasProperties = true;
    this.#tableAt = 0;
    this.#echoAt = 0;
    const last = end - 1;
    if (start + PROPERTIES_AT > last) {
      this.bodySize = 0;
      this.dropProperties(ILLEGIBLE);
      return;
    }
    this.bodySize = longAt(bytes, start + BODY_SIZE_AT) * 2 ** 32 + longAt(bytes, start + BODY_SIZE_AT + 4);
    const flags = shortAt(bytes, start + FLAGS_AT);
    let at = start + PROPERTIES_AT;
    for (let left = flags & ~UNKNOWN_FLAGS; left !== 0 && at <= last; ) {
      const flag = HIGHEST_BIT >>> Math.clz32(left);
      left &= ~flag;
      switch (flag) {
        case FLAGS.deliveryMode:
        case PRIORITY_FLAG:
          at += 1;
          break;
        case FLAGS.timestamp:
          at += 8;
          break;
        case FLAGS.headers:
          this.#tableAt = at;
          at += 4 + longAt(bytes, at);
          this.#afterTable = at;
          if (at <= last) this.problem = problemOfTable(bytes, this.#tableAt + 4, at);
          break;
        case FLAGS.correlationId:
          if (bytes[at] !== 0) this.#echoAt = at;
          at += 1 + (bytes[at] ?? 0);
          break;
        case FLAGS.messageId:
          if (this.#echoAt === 0 && bytes[at] !== 0) this.#echoAt = at;
          at += 1 + (bytes[at] ?? 0);
          break;
        default:
          at += 1 + (bytes[at] ?? 0);
      }
    }
    if (at !== last || (flags & UNKNOWN_FLAGS) !== 0) this.dropProperties(ILLEGIBLE);
  }

  /** Where the id that a reply returns begins; 0 if there is none. */
  get echoAt(): number {
    return this.#echoAt === 0 ? 0 : this.#echoAt + 1;
  }

  /** The bytes of that id; null if there is none. */
  echo(bytes: Buffer): Buffer | null {
    const { echoAt } = this;
    return echoAt === 0 ? null : Buffer.from(bytes.subarray(echoAt, echoAt + (bytes[echoAt - 1] ?? 0)));
  }

  /**
   * The same frame for a body of `bodySize`, without the headers if they cannot be decoded, and without any
   * property if none can be kept.
   */
  rewritten(bytes: Buffer, start: number, end: number, bodySize: number): Buffer {
    if (!this.hasProperties) return emptyHeader(bytes, start, bodySize);
    const isKept = this.problem === null;
    const [before, after] = isKept ? [end, end] : [this.#tableAt, this.#afterTable];
    const frame = Buffer.concat([bytes.subarray(start, before), bytes.subarray(after, end)]);
    if (!isKept) frame.writeUInt16BE(shortAt(bytes, start + FLAGS_AT) & ~FLAGS.headers, FLAGS_AT);
    return withSizes(frame, bodySize);
  }

  /** Marks all properties as lost. */
  dropProperties(problem: string): void {
    this.problem = problem;
    this.hasProperties = false;
    this.#echoAt = 0;
  }
}

/** Replaces the content header at `start` by one without properties. */
export function emptyHeader(bytes: Buffer, start: number, bodySize: number): Buffer {
  const frame = Buffer.alloc(PROPERTIES_AT + 1);
  bytes.copy(frame, 0, start, start + FRAME_HEADER_BYTES);
  frame.writeUInt16BE(BASIC, FRAME_HEADER_BYTES);
  return withSizes(frame, bodySize);
}

/** Sets the frame's size, its body size and its end byte. */
function withSizes(frame: Buffer, bodySize: number): Buffer {
  frame.writeUInt32BE(frame.length - FRAME_HEADER_BYTES - 1, 3);
  frame.writeBigUInt64BE(BigInt(bodySize), BODY_SIZE_AT);
  frame.writeUInt8(FRAME_END, frame.length - 1);
  return frame;
}

/** The byte after the frame that begins at `start`. */
export function frameEnd(bytes: Buffer, start: number): number {
  return start + FRAME_HEADER_BYTES + longAt(bytes, start + 3) + 1;
}
