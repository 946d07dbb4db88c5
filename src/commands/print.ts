import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline/promises';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { SingleBar } from 'cli-progress';
import { getBorderCharacters, table } from 'table';
import { jsonText, printable, printableLines } from '../domain/printable.ts';
import { EXIT } from './exit.ts';

/** What may wait on stderr to be read. */
const STDERR_BYTES = 1_048_576;
/** How long a command that is done waits for the reader of its stderr. */
const STDERR_MS = 1000;

/**
 * Prepares stdout and stderr. Results matter: where they cannot be written the command ends, silently if their reader has
 * gone (`dead export | head`), as other tools end by SIGPIPE, which Node ignores. What is said on stderr does not: nobody has
 * to read it, and it may fail.
 */
export function prepareOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.readerGone);
    complain(`cdr-ingest: the results could not be written: ${error.message}`);
    process.exit(EXIT.failed);
  });
  process.stderr.on('error', () => undefined);
  // Node takes the part of a chunk that a full disk still has room for as the whole.
  const { stdout }: { stdout: Writable } = process;
  if (!(stdout instanceof Socket)) stdout._write = writeWhole;
  stopBlocking(process.stdout);
  stopBlocking(process.stderr);
  if (process.listenerCount('warning') === 0) return;
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => complain(`${name}: ${message}`));
}

function writeWhole(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
  try {
    for (let at = 0; at < chunk.length; ) at += writeSync(1, chunk, at);
  } catch (error) {
    done(error as Error);
    return;
  }
  done();
}

/** Node blocks the process while a terminal is stopped (Ctrl-S), signals included. It has no official way to turn that off. */
function stopBlocking(stream: {
  isTTY?: boolean;
  _handle?: { setBlocking?: (isBlocking: boolean) => void };
}): void {
  if (stream.isTTY) stream._handle?.setBlocking?.(false);
}

/**
 * Lets a command end that is done, though nobody reads its stderr. Its results are waited for as long as they take to be read.
 */
export async function endOutput(): Promise<void> {
  if (process.stderr.writableLength === 0) return;
  await new Promise((resolve) => process.stdout.write('', resolve));
  const read = new Promise((resolve) => process.stderr.write('', resolve));
  await Promise.race([read, sleep(STDERR_MS)]);
  if (process.stderr.writableLength > 0) process.exit();
}

/** A cell of a table; a list is one line for each item. */
export type Cell = string | number | readonly string[];

/** Prints one line of results on stdout, whatever the text contains. */
export function printLine(line: string): void {
  process.stdout.write(`${printable(line)}\n`);
}

/** Prints a table of results on stdout. */
export function printTable(head: readonly string[], rows: readonly (readonly Cell[])[]): void {
  const cells = [head, ...rows].map((row) => row.map(cellText));
  const text = table(cells, {
    border: getBorderCharacters('norc'),
    drawHorizontalLine: (index, count) => index <= 1 || index === count,
  });
  process.stdout.write(text);
}

function cellText(cell: Cell): string {
  return typeof cell === 'object' ? cell.map(printable).join('\n') : printable(String(cell));
}

/** Prints results as JSON on stdout, indented by this many spaces; 0 for one line. */
export function printJson(value: unknown, indent: number = 2): void {
  process.stdout.write(`${jsonText(value, indent)}\n`);
}

let leftOut = 0;

/** Prints one line on stderr: a problem, or progress. */
export function complain(line: string): void {
  if (process.stderr.writableLength > STDERR_BYTES) {
    if (leftOut === 0) process.stderr.once('drain', sayLeftOut);
    leftOut += 1;
  } else process.stderr.write(`${printable(line)}\n`);
}

function sayLeftOut(): void {
  process.stderr.write(`${leftOut} lines were left out here: nobody read them in time\n`);
  leftOut = 0;
}

/** Asks for input on a terminal. */
export function prompt(text: string): void {
  process.stderr.write(printable(text));
}

/** Asks on a terminal whether to go on; anything but y or yes means no. */
export async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${printable(question)} [y/N] `);
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

/** A progress bar on stderr if that is a terminal. `format` is the program's own text; its values are numbers. */
export function progressBar(format: string): SingleBar {
  return new SingleBar({ format, stream: pictures(process.stderr), noTTYOutput: false, hideCursor: true });
}

/** The same stream, which leaves pictures out while earlier ones wait to be shown. */
function pictures(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  const write = (picture: string) => stream.writableNeedDrain || stream.write(picture);
  return Object.create(stream, { write: { value: write } });
}

/** Whether stderr is a terminal. */
export function isWatched(): boolean {
  return process.stderr.isTTY === true;
}

/** Writes text that is safe already to a file, which is closed at the end, or to stdout. */
export async function writeData(chunks: AsyncIterable<string>, file?: Writable): Promise<void> {
  await pipeline(chunks, file ?? process.stdout, { end: file !== undefined });
}

/** How commander writes help and errors, which repeat what was typed. */
export const commanderOutput = {
  writeOut: (text: string) => void process.stdout.write(printableLines(text)),
  writeErr: (text: string) => void process.stderr.write(printableLines(text)),
  outputError: (text: string, write: (text: string) => void) => {
    // The first line repeats what was typed; only commander's own suggestion starts a second.
    const [first = '', ...hint] = text.trimEnd().split(/(?=\n\(Did you mean )/);
    write(`${printable(first)}${hint.join('')}\n`);
  },
};
