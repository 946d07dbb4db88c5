import { constants, fstatSync, openSync, write, writeSync } from 'node:fs';

/** What may wait to be written: several thousand lines. */
const WAITING_BYTES = 1_048_576;
/** Pauses before writing is tried again; they double. */
const RETRY_MS = { first: 10, last: 1000 };
/** A write that takes longer is not waited for when the process ends. */
export const STUCK_MS = 1000;

const NOTHING = Buffer.alloc(0);

/**
 * Writes the lines of a log, whole and in their order, and never stops its process: not on a full disk, for a reader that is
 * slow or gone, or on a terminal that is stopped. What cannot be written waits; what does not fit any more is dropped and
 * counted. pino's own destination would repeat a write for ever when the process ends.
 */
export class LogOutput {
  readonly #fd: number;
  #lines: string[] = [];
  /** What is being written, or has failed to be. */
  #chunk: Buffer = NOTHING;
  /** Of both. */
  #bytes = 0;
  #writingSince: number | undefined;
  #retry: NodeJS.Timeout | undefined;
  #pauseMs = RETRY_MS.first;
  #dropped = 0;
  #unsaid = 0;
  readonly #flushed: (() => void)[] = [];
  /** Says in the log how many lines were dropped, once there is room again. */
  onDropped: (count: number) => void = () => undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Lines dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    // Until it is said that lines are missing, no other may follow.
    if (this.#unsaid > 0 || this.#bytes + bytes > WAITING_BYTES) {
      this.#dropped += 1;
      this.#unsaid += 1;
      return;
    }
    this.#lines.push(line);
    this.#bytes += bytes;
    this.#writeNext();
  }

  /** Calls back once everything is written. */
  flush(done: () => void): void {
    if (this.#bytes === 0) done();
    else this.#flushed.push(done);
  }

  /**
   * For the moment in which the process ends: writes what can be written without waiting. Node would wait for a write that has
   * begun, though it may never return, so a process with such a write is killed.
   */
  end(): void {
    const since = this.#writingSince;
    if (since !== undefined && performance.now() - since >= STUCK_MS) process.kill(process.pid, 'SIGKILL');
    const rest = Buffer.from(this.#lines.join(''));
    try {
      writeSync(this.#fd, since === undefined ? Buffer.concat([this.#chunk, rest]) : rest);
    } catch {
      // The log is the first thing to be given up.
    }
  }

  #writeNext(): void {
    if (this.#writingSince !== undefined || this.#retry !== undefined || this.#bytes === 0) return;
    if (this.#chunk.length === 0) {
      this.#chunk = Buffer.from(this.#lines.join(''));
      this.#lines = [];
    }
    this.#writingSince = performance.now();
    write(this.#fd, this.#chunk, (error, written) => {
      this.#writingSince = undefined;
      if (error === null) this.#onWritten(written);
      else this.#tryLater();
    });
  }

  #onWritten(bytes: number): void {
    this.#pauseMs = RETRY_MS.first;
    this.#chunk = this.#chunk.subarray(bytes);
    this.#bytes -= bytes;
    if (this.#unsaid > 0 && this.#bytes <= WAITING_BYTES / 2) {
      const count = this.#unsaid;
      this.#unsaid = 0;
      this.onDropped(count);
    }
    this.#writeNext();
    if (this.#bytes === 0) for (const done of this.#flushed.splice(0)) done();
  }

  #tryLater(): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#writeNext();
    }, this.#pauseMs).unref();
    this.#pauseMs = Math.min(2 * this.#pauseMs, RETRY_MS.last);
  }
}

/** Standard error as a log. */
export function logToStderr(): LogOutput {
  const output = new LogOutput(openStderr());
  process.on('exit', () => output.end());
  return output;
}

/**
 * Standard error, opened anew where it is a pipe or a terminal: so that it does not block, and only for this process. A file
 * has its position in common with others who write to it. A socket cannot be opened, nor can what belongs to another user.
 */
function openStderr(): number {
  if (fstatSync(2).isFile()) return 2;
  try {
    return openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return 2;
  }
}
