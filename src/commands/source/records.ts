import { HeaderError, splitterOf } from '../../sources/lines.ts';
import type { FeedSpec } from '../../sources/schema.ts';
import { CutOffError, type RecordText } from '../../sources/splitter.ts';
import { CommandError } from '../exit.ts';
import { lineParts, wholeLines } from '../file-lines.ts';

/** A record of a native file, or why its bytes are none; `encodeExactly` gives them as they are. */
export type NativeText = RecordText & { problem?: string };

/**
 * Streams the records of a native file, without header and trailer. Throws CommandError for a file that cannot be read, whose
 * header names other columns, or that is cut off.
 *
 * @param path a file, or `-` for standard input
 * @param signal ends the reading, which then throws the signal's error
 */
export async function* readNativeFile(
  path: string,
  spec: FeedSpec,
  signal?: AbortSignal,
): AsyncGenerator<NativeText> {
  const splitter = splitterOf(spec);
  const parts = lineParts(path, signal);
  try {
    // An array of JSON may be one line, of any length.
    if (spec.format === 'json')
      for await (const { text, isEnd } of parts) yield* splitter.take(text, isEnd).map(checked);
    else for await (const line of wholeLines(parts, path)) yield* splitter.take(line).map(checked);
    yield* splitter.end().map(checked);
  } catch (error) {
    const isExpected = error instanceof HeaderError || error instanceof CutOffError;
    throw isExpected ? new CommandError(`${path}: ${error.message}`) : error;
  }
}

function checked(record: RecordText): NativeText {
  const text = record.text.replace(/\r$/, '');
  return text.isWellFormed()
    ? { ...record, text }
    : { ...record, text, problem: 'the record is not valid UTF-8' };
}
