import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { jsonText, printable, printableLines } from '../domain/printable.ts';

/** What a shell makes of SIGPIPE. */
const READER_GONE = 141;

/**
 * Ends the process without a word when nobody reads its results any more, as usual tools end by SIGPIPE, which Node
 * ignores. Nobody to complain to is no failure.
 */
export function endWithReaders(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(READER_GONE);
  });
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

/** A cell of a table; a list is one line each. */
export type Cell = string | number | readonly string[];

/** One line of results on stdout, whatever stands in it. */
export function printLine(line: string): void {
  process.stdout.write(`${printable(line)}\n`);
}

/** A table of results on stdout. */
export function printTable(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  options: { wordWrap?: boolean } = {},
): void {
  const table = new Table({ head: head.map(printable), style: { head: [], border: [] }, ...options });
  for (const row of rows) table.push(row.map(cellText));
  process.stdout.write(`${table}\n`);
}

function cellText(cell: Cell): string {
  return typeof cell === 'object' ? cell.map(printable).join('\n') : printable(String(cell));
}

/** Results as JSON on stdout; indented by so many blanks, 0 for one line. */
export function printJson(value: unknown, indent: number = 2): void {
  process.stdout.write(`${jsonText(value, indent)}\n`);
}

/** One line on stderr: a problem, or how it goes. */
export function complain(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}

/** What stands before an answer on a terminal. */
export function prompt(text: string): void {
  process.stderr.write(printable(text));
}

/** A progress bar on stderr, where that is a terminal. The format is the program's own; its values are numbers. */
export function progressBar(format: string): SingleBar {
  return new SingleBar({ format, stream: process.stderr, noTTYOutput: false, hideCursor: true });
}

/** Whether somebody watches stderr. */
export function isWatched(): boolean {
  return process.stderr.isTTY === true;
}

/** Writes what an export has made safe already to a file, or to stdout. Resolves when there is room for more. */
export async function writeData(text: string, target: Writable = process.stdout): Promise<void> {
  if (!target.write(text)) await once(target, 'drain');
}

/** How commander writes its help and its complaints, which repeat what was typed. */
export const commanderOutput = {
  writeOut: (text: string) => void process.stdout.write(printableLines(text)),
  writeErr: (text: string) => void process.stderr.write(printableLines(text)),
  outputError: (text: string, write: (text: string) => void) => {
    // What was typed stands on the first line; only commander's own hint begins a second.
    const [first = '', ...hint] = text.trimEnd().split(/(?=\n\(Did you mean )/);
    write(`${printable(first)}${hint.join('')}\n`);
  },
};
