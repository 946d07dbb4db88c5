import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parse as parseCsv } from 'csv-parse';
import { CommandError } from './exit.ts';

/** One call of a file: the JSON text to publish, and the machine that it names. */
export interface FileCall {
  text: string;
  machine: string | undefined;
}

/** The credentials that are added to calls without their own; each may be missing. */
export interface Credentials {
  auth_username?: string;
  auth_password?: string;
}

/**
 * Reads calls from JSON Lines, a JSON array or CSV; the first character tells which: `{`, `[`, else a CSV header. JSON
 * Lines and CSV are streamed, and the numbers of JSON Lines keep every digit. Throws CommandError with the place of
 * what is not a call, or for a file that cannot be read.
 *
 * @param path a file, or `-` for standard input
 */
export async function* readCallFile(path: string, credentials: Credentials): AsyncGenerator<FileCall> {
  try {
    yield* callsIn(path, credentials);
  } catch (error) {
    throw isFileError(error) ? new CommandError(`${path}: ${error.message}`) : error;
  }
}

function isFileError(error: unknown): error is Error {
  return (
    error instanceof Error && 'code' in error && ['ENOENT', 'EISDIR', 'EACCES'].includes(String(error.code))
  );
}

async function* callsIn(path: string, credentials: Credentials): AsyncGenerator<FileCall> {
  const stream = path === '-' ? process.stdin : createReadStream(path);
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  const iterator = lines[Symbol.asyncIterator]();
  let first = await iterator.next();
  while (!first.done && first.value.trim() === '') first = await iterator.next();
  if (first.done) return;
  const rest = { [Symbol.asyncIterator]: () => iterator };
  const start = first.value.trimStart().charAt(0);
  if (start === '{') yield* jsonLines(first.value, rest, path, credentials);
  else if (start === '[') yield* jsonArray(first.value, rest, path, credentials);
  else yield* csv(first.value, rest, path, credentials);
}

type Lines = AsyncIterable<string>;

async function* jsonLines(
  first: string,
  rest: Lines,
  path: string,
  credentials: Credentials,
): AsyncGenerator<FileCall> {
  let number = 0;
  for await (const line of joined(first, rest)) {
    number += 1;
    if (line.trim() !== '') yield withCredentials(line, `${path}: line ${number}`, credentials);
  }
}

async function* jsonArray(
  first: string,
  rest: Lines,
  path: string,
  credentials: Credentials,
): AsyncGenerator<FileCall> {
  const parts: string[] = [];
  for await (const line of joined(first, rest)) parts.push(line);
  const calls = parsed(parts.join('\n'), path);
  if (!Array.isArray(calls)) throw new CommandError(`${path}: expected a JSON array of calls`);
  for (const [index, call] of calls.entries()) {
    yield withCredentials(JSON.stringify(call), `${path}: call ${index + 1}`, credentials);
  }
}

async function* csv(
  first: string,
  rest: Lines,
  path: string,
  credentials: Credentials,
): AsyncGenerator<FileCall> {
  const parser = parseCsv({ columns: true, trim: true, skip_empty_lines: true, bom: true });
  const feeding = (async () => {
    for await (const line of joined(first, rest))
      if (!parser.write(`${line}\n`)) await new Promise((resolve) => parser.once('drain', resolve));
    parser.end();
  })();
  try {
    let number = 0;
    for await (const record of parser) {
      number += 1;
      yield withCredentials(JSON.stringify(record), `${path}: record ${number}`, credentials);
    }
    await feeding;
  } catch (error) {
    throw new CommandError(
      `${path}: expected CSV with a header line: ${error instanceof Error ? error.message : error}`,
    );
  }
}

async function* joined(first: string, rest: Lines): AsyncGenerator<string> {
  yield first;
  yield* rest;
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError(`${where}: expected JSON, got invalid JSON`);
  }
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
  if (missing.length === 0) return { text, machine };
  const added = JSON.stringify(Object.fromEntries(missing)).slice(1, -1);
  const content = text.trimStart().slice(1);
  return { text: content.trim() === '}' ? `{${added}}` : `{${added},${content}`, machine };
}
