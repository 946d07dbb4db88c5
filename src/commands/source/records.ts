import { createReadStream } from 'node:fs';
import { HeaderError, splitterOf } from '../../sources/lines.ts';
import type { FeedSpec } from '../../sources/schema.ts';
import type { RecordText } from '../../sources/splitter.ts';
import { CommandError } from '../exit.ts';

/** A record of a native file, or why its bytes are none. */
export type NativeText = RecordText & { problem?: string };

const LINE_FEED = 0x0a;
const MIB = 1_048_576;
/** Bytes of one line that are held: an array of JSON may be one line, but a file without line ends is no native file. */
const LINE_MAX = 64 * MIB;

class LongLineError extends Error {}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Streams the records of a native file, without header and trailer. Throws CommandError for a file that cannot be read
 * or whose header names other columns.
 *
 * @param path a file, or `-` for standard input
 */
export async function* readNativeFile(path: string, spec: FeedSpec): AsyncGenerator<NativeText> {
  const splitter = splitterOf(spec);
  const damaged = new Set<number>();
  const checked = ({ line, text }: RecordText): NativeText => {
    // Records come in the order of their lines.
    for (const earlier of damaged) {
      if (earlier >= line) break;
      damaged.delete(earlier);
    }
    const last = line + text.split('\n').length - 1;
    for (let each = line; damaged.size > 0 && each <= last; each += 1)
      if (damaged.has(each)) return { line, text, problem: 'the record is not valid UTF-8' };
    return { line, text };
  };
  try {
    let number = 0;
    for await (const bytes of byteLines(path === '-' ? process.stdin : createReadStream(path))) {
      number += 1;
      const line = decoded(bytes);
      if (line === undefined) damaged.add(number);
      yield* splitter.take((line ?? bytes.toString('utf8')).replace(/\r$/, '')).map(checked);
    }
    yield* splitter.end().map(checked);
  } catch (error) {
    throw isExpected(error) ? new CommandError(`${path}: ${error.message}`) : error;
  }
}

function isExpected(error: unknown): error is Error {
  if (error instanceof HeaderError || error instanceof LongLineError) return true;
  return error instanceof Error && 'code' in error && /^(ENOENT|EISDIR|EACCES)$/.test(String(error.code));
}

function decoded(bytes: Buffer): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Lines end with a line feed and with nothing else: U+2028, where Node's readline may split, is a character of a name. */
async function* byteLines(stream: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  let number = 1;
  for await (const chunk of stream) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    let from = 0;
    for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, from)) {
      yield Buffer.concat([...parts, bytes.subarray(from, at)]);
      parts = [];
      length = 0;
      number += 1;
      from = at + 1;
    }
    if (from < bytes.length) parts.push(bytes.subarray(from));
    length += bytes.length - from;
    if (length > LINE_MAX)
      throw new LongLineError(`line ${number}: expected at most ${LINE_MAX / MIB} MiB in one line, got more`);
  }
  if (parts.length > 0) yield Buffer.concat(parts);
}
