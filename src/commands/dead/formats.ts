import { jsonText, printableLines } from '../../domain/printable.ts';
import {
  type Cursor,
  type DeadLetterFilter,
  type DeadLetterSummary,
  readPage,
} from '../../store/dead-letters/list.ts';
import type { Sql } from '../../store/sql.ts';

/** `lines` is one JSON object a line, `array` one JSON array. */
export type ExportFormat = 'lines' | 'array' | 'csv';

/** The selected dead letters as text, at most `limit` of them. Each page that is read is one chunk. */
export async function* exported(
  sql: Sql,
  filter: DeadLetterFilter,
  format: ExportFormat,
  limit: number = Number.POSITIVE_INFINITY,
): AsyncGenerator<string> {
  if (format === 'csv') yield `${CSV_COLUMNS.join(',')}\r\n`;
  if (format === 'array') yield '[';
  let isFirst = true;
  for await (const page of pages(sql, filter, limit)) {
    const rows = page.map(ROW[format]);
    if (format === 'array') yield `${isFirst ? '' : ','}\n${rows.join(',\n')}`;
    else yield rows.join('');
    isFirst = false;
  }
  if (format === 'array') yield isFirst ? ']\n' : '\n]\n';
}

const ROW: Record<ExportFormat, (deadLetter: DeadLetterSummary) => string> = {
  lines: (deadLetter) => `${jsonText(deadLetter)}\n`,
  array: (deadLetter) => jsonText(deadLetter),
  csv: csvLine,
};

const PAGE = 500;

/** Never an empty page. */
async function* pages(
  sql: Sql,
  filter: DeadLetterFilter,
  limit: number,
): AsyncGenerator<readonly DeadLetterSummary[]> {
  let left = limit;
  for (let after: Cursor | undefined; left > 0; ) {
    const { deadLetters, next } = await readPage(sql, filter, Math.min(PAGE, left), after);
    if (deadLetters.length > 0) yield deadLetters;
    if (next === undefined) return;
    left -= deadLetters.length;
    after = next;
  }
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
  'source',
] as const;

function csvLine(deadLetter: DeadLetterSummary): string {
  const answer = deadLetter.responses.map(({ code, key, message }) => `${code} ${key} ${message}`).join('; ');
  const cells = CSV_COLUMNS.map((name) => (name === 'answer' ? answer : deadLetter[name]));
  return `${cells.map(csvCell).join(',')}\r\n`;
}

/** A spreadsheet takes text that begins like this for a formula, and callers choose texts. */
const FORMULA = /^[=+@\t\r]|^-(?!\d+(\.\d+)?$)/;

function csvCell(value: unknown): string {
  const text = value instanceof Date ? value.toISOString() : String(value ?? '');
  const harmless = printableLines(FORMULA.test(text) ? `'${text}` : text);
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
