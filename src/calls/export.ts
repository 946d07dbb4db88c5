import { BYTE_ORDER_MARK, csvRow, spreadsheetCell } from '../csv.ts';
import { jsonText } from '../domain/printable.ts';
import type { CallFilter } from '../store/calls/filter.ts';
import { callPages } from '../store/calls/find.ts';
import type { Sql } from '../store/sql.ts';
import { type CallColumn, callColumns, cellOf } from './export-columns.ts';
import { type ListedCall, listed } from './listed.ts';

/** `csv` for people and their spreadsheets, `lines` one JSON object a line for programs. */
export const callFormats = ['csv', 'lines'] as const;
export type CallFormat = (typeof callFormats)[number];

export interface CallExport {
  format: CallFormat;
  /** Which of a CSV, in their order. */
  columns?: readonly CallColumn[] | undefined;
}

/** Rows that are in memory at once. */
const PAGE = 2000;

/** The calls that match as text, the earliest start first. Each page that is read is one chunk. */
export async function* exportedCalls(
  sql: Sql,
  filter: CallFilter,
  { format, columns = callColumns }: CallExport,
): AsyncGenerator<string> {
  if (format === 'csv') yield `${BYTE_ORDER_MARK}${csvRow(columns)}`;
  for await (const page of callPages(sql, filter, { order: 'earliest', limit: PAGE })) {
    const calls = await listed(sql, page);
    yield calls.map((call) => (format === 'csv' ? row(call, columns) : `${jsonText(call)}\n`)).join('');
  }
}

function row(call: ListedCall, columns: readonly CallColumn[]): string {
  return csvRow(
    columns.map((name) => {
      const { text, kind } = cellOf(name, call);
      return spreadsheetCell(text, kind);
    }),
  );
}
