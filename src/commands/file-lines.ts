import { createReadStream, statSync } from 'node:fs';
import { addAbortSignal, type Readable } from 'node:stream';
import { CommandError } from './exit.ts';
import { decodeExactly, unfinished } from './utf8.ts';

/** A piece of a line of a file. */
export interface LinePart {
  /** Of `decodeExactly`. */
  text: string;
  /** The line ends here. */
  isEnd: boolean;
}

const LINE_FEED = 0x0a;
const MIB = 1_048_576;
/** Bytes of a line that are held where it has to be whole. */
const LINE_MAX = 64 * MIB;
const NO_BYTES = Buffer.alloc(0);
/** How UTF-16 begins, in both of its orders. */
const UTF_16 = ['fffe', 'feff'];

/**
 * Reads a file line by line, however long its lines are: what is held of it has a bound. Lines end with a line feed and
 * with nothing else: U+2028, where Node's readline may split, is a character of a name. Throws CommandError for a file
 * that cannot be read.
 *
 * @param path a file, or `-` for standard input
 * @param signal ends the reading, which then throws the signal's error
 */
export async function* lineParts(path: string, signal?: AbortSignal): AsyncGenerator<LinePart> {
  try {
    yield* partsOf(open(path, signal));
  } catch (error) {
    throw isFileError(error) ? new CommandError(`${path}: ${error.message}`) : error;
  }
}

/** Whether it can be read twice: what a pipe has given (`<(zcat calls.gz)`) is gone. */
export function isRereadable(path: string): boolean {
  return path !== '-' && statSync(path, { throwIfNoEntry: false })?.isFile() !== false;
}

class EncodingError extends Error {}

function open(path: string, signal: AbortSignal | undefined): Readable {
  const stream = path === '-' ? process.stdin : createReadStream(path);
  return signal === undefined ? stream : addAbortSignal(signal, stream);
}

function isFileError(error: unknown): error is Error {
  if (error instanceof EncodingError) return true;
  return error instanceof Error && 'code' in error && /^(ENOENT|EISDIR|EACCES)$/.test(String(error.code));
}

async function* partsOf(stream: AsyncIterable<unknown>): AsyncGenerator<LinePart> {
  let held = NO_BYTES;
  let isOpen = false;
  let isFirst = true;
  for await (const chunk of stream) {
    const bytes = Buffer.concat([held, Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk))]);
    if (isFirst && UTF_16.includes(bytes.subarray(0, 2).toString('hex')))
      throw new EncodingError('expected UTF-8, got UTF-16');
    isFirst &&= bytes.length < 2;
    let from = 0;
    for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, from)) {
      yield { text: decodeExactly(bytes.subarray(from, at)), isEnd: true };
      from = at + 1;
      isOpen = false;
    }
    const end = isFirst ? 0 : bytes.length - unfinished(bytes);
    if (end > from) {
      yield { text: decodeExactly(bytes.subarray(from, end)), isEnd: false };
      isOpen = true;
    }
    held = bytes.subarray(Math.max(from, end));
  }
  if (isOpen || held.length > 0) yield { text: decodeExactly(held), isEnd: true };
}

/** Lines as a whole, without their line feeds. Throws CommandError for one that is longer than any line of calls. */
export async function* wholeLines(parts: AsyncIterable<LinePart>, path: string): AsyncGenerator<string> {
  let line: string[] = [];
  let length = 0;
  let number = 1;
  for await (const { text, isEnd } of parts) {
    line.push(text);
    length += text.length;
    if (length > LINE_MAX)
      throw new CommandError(
        `${path}: line ${number}: expected at most ${LINE_MAX / MIB} MiB in one line, got more`,
      );
    if (!isEnd) continue;
    yield line.join('');
    line = [];
    length = 0;
    number += 1;
  }
}
