import {
  BODY,
  ContentHeader,
  emptyHeader,
  FRAME_END,
  FRAME_HEADER_BYTES,
  frameEnd,
  HEADER,
} from './content-header.ts';
import { longAt, shortAt } from './field-table.ts';

/** What is missing from a message that was decoded in part. */
export interface Note {
  /** Original bytes of its body, if only the beginning was kept; else null. */
  bytes: number | null;
  /** Why its headers, or all its properties, were dropped; null if they were not. */
  problem: string | null;
}

/** Largest frame that is kept. A content header never spans frames, whatever frame size was negotiated. */
const FRAME_MAX = 262_144;
/** This much of a content header contains the body size. */
const HEADER_START = FRAME_HEADER_BYTES + 15;
/** The default limit of RabbitMQ 4; consumers set a lower one. */
const BODY_MAX = 16_777_216;
/** A body is a view into its piece and keeps all of it in memory, so pieces are small. */
const PIECE_BYTES = 16_384;

/** The rest of a body that is too long. */
interface Trim {
  /** Bytes to pass on. */
  keep: number;
  /** Bytes to come. */
  left: number;
}

/**
 * Filter between the socket and amqplib's decoder. Takes bytes as they arrive and returns pieces of whole
 * frames in which every content header can be decoded and no body exceeds `keepBytes`. Excess bytes are
 * dropped on arrival, never buffered.
 */
export class FrameGuard {
  /** What is missing from the last piece, which is a single content header then; else null. */
  note: Note | null = null;
  /** Of a longer body only this many bytes plus one are passed on. */
  keepBytes = BODY_MAX;
  readonly #header = new ContentHeader();
  /** By channel; almost always empty. */
  readonly #trims = new Map<number, Trim>();
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  /** The beginning of a frame that is not complete yet. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  /** Bytes of that frame that are needed; 0 while that is unknown. */
  #needed = 0;
  /** Bytes to drop on arrival. */
  #dropping = 0;

  /** Takes bytes from the socket. Call it after `next` has returned null. */
  push(incoming: Buffer): void {
    this.#bytes = incoming;
    this.#at = 0;
  }

  /**
   * The next frames to decode; null if more bytes must come first. @throws at a frame above the size limit.
   */
  next(): Buffer | null {
    this.note = null;
    for (;;) {
      this.#drop();
      const untouched = this.#begunBytes === 0 ? this.#takeUntouched() : null;
      if (untouched !== null) return untouched;
      if (!this.#complete()) return null;
      const whole = this.#begun.length === 1 ? this.#begun[0] : Buffer.concat(this.#begun);
      this.#begun = [];
      this.#begunBytes = 0;
      this.#needed = 0;
      const frame = whole === undefined ? null : this.#checked(whole);
      if (frame !== null) return frame;
    }
  }

  #drop(): void {
    const dropped = Math.min(this.#dropping, this.#bytes.length - this.#at);
    this.#dropping -= dropped;
    this.#at += dropped;
  }

  /** The next whole frames that can be decoded as they are; null if the first cannot. */
  #takeUntouched(): Buffer | null {
    const bytes = this.#bytes;
    const start = this.#at;
    let at = start;
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const end = frameEnd(bytes, at);
      if (end > bytes.length || (at > start && end - start > PIECE_BYTES)) break;
      if (this.#needsCare(bytes, at, end)) break;
      at = end;
    }
    this.#at = at;
    return at === start ? null : Buffer.from(bytes.subarray(start, at));
  }

  #needsCare(bytes: Buffer, start: number, end: number): boolean {
    const type = bytes[start];
    if (type === BODY) return this.#trims.size > 0 && this.#trims.has(channelOf(bytes, start));
    if (type !== HEADER) return false;
    const header = this.#header;
    header.read(bytes, start, end);
    return header.problem !== null || header.bodySize > this.keepBytes;
  }

  /** Gathers the next frame, as far as it is needed. False if more bytes must come first. */
  #complete(): boolean {
    if (!this.#gather(FRAME_HEADER_BYTES)) return false;
    if (this.#needed === 0) {
      const start = Buffer.concat(this.#begun);
      this.#begun = [start];
      this.#needed = this.#neededOf(start);
    }
    return this.#gather(this.#needed);
  }

  #gather(upTo: number): boolean {
    const missing = upTo - this.#begunBytes;
    if (missing <= 0) return true;
    const part = this.#bytes.subarray(this.#at, this.#at + missing);
    if (part.length === 0) return false;
    this.#at += part.length;
    this.#begun.push(part);
    this.#begunBytes += part.length;
    return part.length === missing;
  }

  #neededOf(start: Buffer): number {
    const size = longAt(start, 3);
    const whole = frameEnd(start, 0);
    const trim = start[0] === BODY ? this.#trims.get(channelOf(start, 0)) : undefined;
    if (trim !== undefined) return trim.keep < size ? FRAME_HEADER_BYTES + trim.keep : whole;
    if (whole <= FRAME_MAX) return whole;
    if (start[0] === HEADER) return HEADER_START;
    throw new Error(`a frame of ${size} bytes`);
  }

  /** The frame in a form that can be decoded; null if nothing of it is needed. */
  #checked(frame: Buffer): Buffer | null {
    if (frame[0] === HEADER) return this.#checkedHeader(frame);
    const trim = frame[0] === BODY ? this.#trims.get(channelOf(frame, 0)) : undefined;
    return trim === undefined ? frame : this.#trimmed(frame, trim);
  }

  #checkedHeader(frame: Buffer): Buffer {
    const whole = frameEnd(frame, 0);
    const header = this.#header;
    header.read(frame, 0, frame.length);
    if (frame.length < whole) {
      this.#dropping = whole - frame.length;
      header.dropProperties(`more than ${FRAME_MAX} bytes of properties`);
    }
    const bytes = header.bodySize;
    const kept = Math.min(bytes, this.keepBytes + 1);
    if (kept < bytes) this.#trims.set(channelOf(frame, 0), { keep: kept, left: bytes });
    if (header.problem === null && kept === bytes) return frame;
    this.note = { bytes: kept < bytes ? bytes : null, problem: header.problem };
    return header.rewritten(frame, 0, frame.length, kept);
  }

  #trimmed(frame: Buffer, trim: Trim): Buffer | null {
    const size = longAt(frame, 3);
    const kept = Math.min(size, trim.keep);
    trim.left -= size;
    if (trim.left <= 0) this.#trims.delete(channelOf(frame, 0));
    if (kept === size && kept > 0) {
      trim.keep -= kept;
      return frame;
    }
    trim.keep = 0;
    this.#dropping = size - kept + 1;
    if (kept === 0) return null;
    const shorter = Buffer.concat([frame, Buffer.of(FRAME_END)]);
    shorter.writeUInt32BE(kept, 3);
    return shorter;
  }
}

/** The first frame without its properties; null if it is no content header. */
export function withoutProperties(frames: Buffer): Buffer | null {
  if (frames[0] !== HEADER || frames.length < HEADER_START) return null;
  const bodySize = longAt(frames, 11) * 2 ** 32 + longAt(frames, 15);
  return emptyHeader(frames, 0, bodySize);
}

function channelOf(bytes: Buffer, start: number): number {
  return shortAt(bytes, start + 1);
}
