import { BYTE_ORDER_MARK, csvRow, harmlessCell, spreadsheetCell } from '../csv.ts';
import { jsonText } from '../domain/printable.ts';
import { type DeadLetterFilter, type DeadLetterSummary, readPage } from '../store/dead-letters/list.ts';
import type { Cursor, Sort } from '../store/dead-letters/sort.ts';
import { readExportDetails } from '../store/dead-letters/stored.ts';
import type { Sql } from '../store/sql.ts';
import {
  type ExportColumn,
  type ExportRow,
  exportColumns,
  exportRow,
  kindOfColumn,
  responsesOf,
  textOfColumn,
  valueOfColumn,
} from './export-columns.ts';

/**
 * `lines` is one JSON object a line, `json` one JSON array, `csv` for people and their spreadsheets, `plain-csv` for
 * programs, whose columns stay.
 */
export type ExportFormat = 'lines' | 'json' | 'csv' | 'plain-csv';

export interface ExportOptions {
  format: ExportFormat;
  /** Of a cost that names none. */
  systemCurrency: string;
  /** Which, in their order; without them all of a CSV for people, and of JSON every dead letter as lists have it. */
  columns?: readonly ExportColumn[] | undefined;
  limit?: number | undefined;
  sort?: Sort | undefined;
}

/** The selected dead letters as text. Each page that is read is one chunk. */
export async function* exported(
  sql: Sql,
  filter: DeadLetterFilter,
  options: ExportOptions,
): AsyncGenerator<string> {
  const { format } = options;
  if (format === 'plain-csv') yield csvRow(PLAIN_COLUMNS);
  if (format === 'csv') yield `${BYTE_ORDER_MARK}${csvRow(options.columns ?? exportColumns)}`;
  if (format === 'json') yield '[';
  let isFirst = true;
  for await (const page of pages(sql, filter, options)) {
    const rows = await textsOf(sql, page, options);
    if (format === 'json') yield `${isFirst ? '' : ','}\n${rows.join(',\n')}`;
    else yield rows.join('');
    isFirst = false;
  }
  if (format === 'json') yield isFirst ? ']\n' : '\n]\n';
}

const PAGE = 500;

/** Never an empty page. */
async function* pages(
  sql: Sql,
  filter: DeadLetterFilter,
  { limit = Number.POSITIVE_INFINITY, sort = 'latest' }: Pick<ExportOptions, 'limit' | 'sort'>,
): AsyncGenerator<readonly DeadLetterSummary[]> {
  let left = limit;
  for (let after: Cursor | undefined; left > 0; ) {
    const { deadLetters, next } = await readPage(sql, filter, Math.min(PAGE, left), { sort, after });
    if (deadLetters.length > 0) yield deadLetters;
    if (next === undefined) return;
    left -= deadLetters.length;
    after = next;
  }
}

/** A text for each dead letter of a page. */
async function textsOf(
  sql: Sql,
  page: readonly DeadLetterSummary[],
  { format, columns, systemCurrency }: ExportOptions,
): Promise<string[]> {
  if (format === 'plain-csv') return page.map(plainRow);
  const end = format === 'lines' ? '\n' : '';
  if (format !== 'csv' && columns === undefined) return page.map((letter) => `${jsonText(letter)}${end}`);
  const names = columns ?? exportColumns;
  const rows = await exportRows(sql, page, systemCurrency);
  if (format === 'csv') return rows.map((row) => csvRow(names.map((name) => spreadsheetCellOf(name, row))));
  return rows.map((row) => {
    const values = names.map((name) => [name, valueOfColumn(name, row) ?? null]);
    return `${jsonText(Object.fromEntries(values))}${end}`;
  });
}

/** Dead letters with what their columns need beyond themselves. */
export async function exportRows(
  sql: Sql,
  page: readonly DeadLetterSummary[],
  systemCurrency: string,
): Promise<ExportRow[]> {
  const details = await readExportDetails(
    sql,
    page.map(({ id }) => id),
  );
  // A row that was pruned since the page was read has none.
  const none = { customer_name: null, routing_key: null, error: null, mended_body: null, stored: null };
  return page.map((letter) => exportRow(letter, details.get(letter.id) ?? none, systemCurrency));
}

function spreadsheetCellOf(name: ExportColumn, row: ExportRow): string {
  return spreadsheetCell(textOfColumn(name, row), kindOfColumn(name));
}

/** Programs rely on these and on their order. */
const PLAIN_COLUMNS = [
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

function plainRow(deadLetter: DeadLetterSummary): string {
  const cells = PLAIN_COLUMNS.map((name) => (name === 'answer' ? responsesOf(deadLetter) : deadLetter[name]));
  return csvRow(
    cells.map((cell) => harmlessCell(cell instanceof Date ? cell.toISOString() : String(cell ?? ''))),
  );
}
