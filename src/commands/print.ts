import { createInterface } from 'node:readline/promises';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SingleBar } from 'cli-progress';
import { getBorderCharacters, table } from 'table';
import { jsonText, printable, printableLines } from '../domain/printable.ts';
import { EXIT } from './exit.ts';

/**
 * Ends the process silently when whoever reads its results has gone (`dead export | head`), as other tools end by
 * SIGPIPE, which Node ignores. A reader of stderr that has gone is no reason to end.
 */
export function endWithReaders(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(EXIT.readerGone);
  });
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
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

/** Prints one line on stderr: a problem, or progress. */
export function complain(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
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
  return new SingleBar({ format, stream: process.stderr, noTTYOutput: false, hideCursor: true });
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
