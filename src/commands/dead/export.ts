import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Command } from 'commander';
import { ConfigError } from '../../config.ts';
import { jsonText, printableLines } from '../../domain/printable.ts';
import {
  type Cursor,
  type DeadLetterFilter,
  type DeadLetterSummary,
  readPage,
} from '../../store/dead-letters/list.ts';
import type { Sql } from '../../store/sql.ts';
import { writeData } from '../print.ts';
import {
  asOperator,
  expectKnown,
  type SelectionOptions,
  SelectionRefused,
  selectionOf,
  withSelection,
} from './options.ts';

const PAGE = 500;

/** `lines` is one JSON object a line, `array` is one JSON array. */
type Format = 'lines' | 'array' | 'csv';

/** `dead export`: everything selected, for other programs. */
export function registerExport(dead: Command): void {
  withSelection(dead.command('export'))
    .description('writes dead letters with their bodies as JSON Lines; passwords are in none of them')
    .option('--json', 'one JSON array instead')
    .option('--csv', 'CSV for a spreadsheet instead')
    .option('--output <file>', 'writes to a file that does not exist yet')
    .action(async (ids: string[], { json, csv, output, ...options }: ExportOptions) => {
      if (json && csv) throw new ConfigError('--json and --csv: expected one of them');
      const filter = selectionOf(ids, options);
      await asOperator(2, async ({ sql }) => {
        await expectKnown(sql, filter);
        const target = output === undefined ? undefined : await newFile(output);
        await writeAll(sql, filter, json ? 'array' : csv ? 'csv' : 'lines', undefined, target);
        if (target !== undefined) await finished(target.end());
      });
    });
}

interface ExportOptions extends SelectionOptions {
  json?: boolean;
  csv?: boolean;
  output?: string;
}

async function newFile(path: string): Promise<Writable> {
  const stream = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  await once(stream, 'open').catch((error: unknown) => {
    throw new SelectionRefused(`--output: ${error instanceof Error ? error.message : String(error)}`);
  });
  return stream;
}

/** Writes every selected dead letter, page after page; to stdout where no target is given. */
export async function writeAll(
  sql: Sql,
  filter: DeadLetterFilter,
  format: Format,
  limit: number | undefined,
  target?: Writable,
): Promise<void> {
  const write = (text: string) => writeData(text, target);
  if (format === 'csv') await write(`${CSV_COLUMNS.join(',')}\r\n`);
  if (format === 'array') await write('[');
  let left = limit ?? Number.POSITIVE_INFINITY;
  let written = 0;
  for (let after: Cursor | undefined; left > 0; ) {
    const { deadLetters, next } = await readPage(sql, filter, Math.min(PAGE, left), after);
    for (const deadLetter of deadLetters) {
      if (format === 'csv') await write(csvLine(deadLetter));
      else if (format === 'lines') await write(`${jsonText(deadLetter)}\n`);
      else await write(`${written === 0 ? '\n' : ',\n'}${jsonText(deadLetter)}`);
      written += 1;
    }
    left -= deadLetters.length;
    if (next === undefined) break;
    after = next;
  }
  if (format === 'array') await write(written === 0 ? ']\n' : '\n]\n');
}

const CSV_COLUMNS = [
  'id',
  'reason',
  'status',
  'uniqueid',
  'scustomer',
  'machine',
  'submitted_by',
  'cost',
  'currency',
  'deaths',
  'replays',
  'first_dead_at',
  'last_dead_at',
  'answer',
  'body',
] as const;

function csvLine(deadLetter: DeadLetterSummary): string {
  const answer = deadLetter.responses.map(({ code, key, message }) => `${code} ${key} ${message}`).join('; ');
  const cells = CSV_COLUMNS.map((name) => (name === 'answer' ? answer : deadLetter[name]));
  return `${cells.map(csvCell).join(',')}\r\n`;
}

/** A spreadsheet takes what begins like this for a formula, and callers choose texts. */
const FORMULA = /^[=+@\t\r]|^-(?!\d+(\.\d+)?$)/;

function csvCell(value: unknown): string {
  const text = value instanceof Date ? value.toISOString() : String(value ?? '');
  const harmless = printableLines(FORMULA.test(text) ? `'${text}` : text);
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
