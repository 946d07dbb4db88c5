import { pipeline } from 'node:stream/promises';
import { CsvError, parse as parseCsv } from 'csv-parse';
import { ConfigError } from '../../config.ts';
import { jsonSplitter } from '../../sources/json-lines.ts';
import { CutOffError, RECORD_MAX } from '../../sources/splitter.ts';
import { CommandError } from '../exit.ts';
import { isRereadable, type LinePart, lineParts, wholeLines } from '../file-lines.ts';
import { encodeExactly } from '../utf8.ts';

/** One call of a file. */
export interface FileCall {
  /** The JSON to publish. */
  body: Buffer;
  /** The machine that it names. */
  machine: string | undefined;
  /** The file and the place in it. */
  where: string;
}

/** The credentials that are added to calls without their own; each may be missing. */
export interface Credentials {
  auth_username?: string;
  auth_password?: string;
}

/**
 * Streams calls from JSON Lines, a JSON array or CSV; the first character tells which: `{`, `[`, else a CSV header. What JSON
 * says is published as it stands there: every digit, and names that stand twice. Throws CommandError with the place of what
 * is not a call, or for a file that cannot be read; ConfigError for a column that stands twice.
 *
 * @param path a file, or `-` for standard input
 * @param signal ends the reading, which then throws the signal's error
 */
export async function* readCallFile(
  path: string,
  credentials: Credentials,
  signal?: AbortSignal,
): AsyncGenerator<FileCall> {
  const parts = lineParts(path, signal);
  try {
    const head: LinePart[] = [];
    let next = await parts.next();
    for (; !next.done; next = await parts.next()) {
      head.push(next.value);
      if (next.value.text.trim() !== '') break;
    }
    const start = head.at(-1)?.text.trimStart() ?? '';
    const isJson = start.startsWith('{') || start.startsWith('[');
    const all = joined(head, parts);
    if (isJson) yield* json(all, path, credentials);
    else if (start !== '') yield* csv(wholeLines(all, path), path, credentials);
  } finally {
    await parts.return(undefined);
  }
}

/** Reads the first call of each file that can be read again, so that a wrong one is found before anything is sent. */
export async function checkCallFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths.filter(isRereadable)) {
    for await (const _ of readCallFile(path, {})) break;
  }
}

async function* joined(head: readonly LinePart[], rest: AsyncIterable<LinePart>): AsyncGenerator<LinePart> {
  yield* head;
  yield* rest;
}

async function* json(
  parts: AsyncIterable<LinePart>,
  path: string,
  credentials: Credentials,
): AsyncGenerator<FileCall> {
  const splitter = jsonSplitter();
  const call = ({ line, text }: { line: number; text: string }) =>
    withCredentials(text, `${path}: line ${line}`, credentials);
  for await (const { text, isEnd } of parts) yield* splitter.take(text, isEnd).map(call);
  try {
    yield* splitter.end().map(call);
  } catch (error) {
    throw error instanceof CutOffError ? new CommandError(`${path}: ${error.message}`) : error;
  }
}

async function* csv(
  lines: AsyncIterable<string>,
  path: string,
  credentials: Credentials,
): AsyncGenerator<FileCall> {
  const parser = parseCsv({ trim: true, skip_empty_lines: true, bom: true, max_record_size: RECORD_MAX });
  // What fails there ends the parser with the same error.
  pipeline(withLineFeeds(lines), parser).catch(() => {});
  let header: readonly string[] | undefined;
  let number = 0;
  try {
    for await (const fields of parser as AsyncIterable<string[]>) {
      if (header === undefined) {
        header = checkedHeader(fields, path);
        continue;
      }
      number += 1;
      const pairs = header.map((name, index) => `${JSON.stringify(name)}:${JSON.stringify(fields[index])}`);
      yield withCredentials(`{${pairs.join(',')}}`, `${path}: record ${number}`, credentials);
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new CommandError(`${path}: expected CSV with a header line: ${error.message}`);
  }
}

async function* withLineFeeds(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`;
}

/** Of two columns with one name nobody can say which is meant. */
function checkedHeader(names: readonly string[], path: string): readonly string[] {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new ConfigError(`${path}: expected each column once, got ${JSON.stringify(twice)} twice`);
  return names;
}

/** Adds the credentials at the front; the rest of the text stays exactly as it is. */
function withCredentials(text: string, where: string, credentials: Credentials): FileCall {
  const call = parsed(text, where);
  if (typeof call !== 'object' || call === null || Array.isArray(call)) {
    throw new CommandError(
      `${where}: expected a JSON object, got ${Array.isArray(call) ? 'an array' : typeof call}`,
    );
  }
  const machine = 'machine' in call ? String(call.machine) : undefined;
  const missing = Object.entries(credentials).filter(([name]) => !(name in call));
  if (missing.length === 0) return { body: encodeExactly(text), machine, where };
  const added = JSON.stringify(Object.fromEntries(missing)).slice(1, -1);
  const content = text.trimStart().slice(1);
  const whole = content.trim() === '}' ? `{${added}}` : `{${added},${content}`;
  return { body: encodeExactly(whole), machine, where };
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError(`${where}: expected JSON, got invalid JSON`);
  }
}
