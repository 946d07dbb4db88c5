import type { CellKind } from '../csv.ts';
import type { Fields } from '../domain/body.ts';
import { parameters } from '../domain/contract.ts';
import { keptFields, withEdits } from '../domain/kept.ts';
import { InvalidInput } from '../input.ts';
import type { DeadLetterSummary } from '../store/dead-letters/list.ts';
import type { ExportDetail } from '../store/dead-letters/stored.ts';
import { senderOf } from './format.ts';

/** A dead letter as its columns see it. */
export interface ExportRow extends Omit<ExportDetail, 'id'> {
  deadLetter: DeadLetterSummary;
  /** As received, with its corrections; empty if it cannot be read. */
  call: Fields;
  systemCurrency: string;
}

type Value = string | number | boolean | Date | null | undefined;

interface Column {
  kind: CellKind;
  of: (row: ExportRow) => Value;
}

const text = (of: Column['of']): Column => ({ kind: 'text', of });
const value = (of: Column['of']): Column => ({ kind: 'value', of });

/** A parameter as it is stored, else as it was received and corrected. */
function parameter(name: 'callid' | 'snumber' | 'cnumber' | 'dnumber'): Column {
  return text(({ stored, call }) => stored?.[name] ?? textIn(call, name));
}

/** Everything that can be exported, in the order for people who check bills. */
const COLUMNS = {
  id: value(({ deadLetter }) => deadLetter.id),
  reason: text(({ deadLetter }) => deadLetter.reason),
  status: text(({ deadLetter }) => deadLetter.status),
  start: value((row) => timeOf(startOf(row))),
  end: value((row) => timeOf(endOf(row))),
  duration: value(durationOf),
  uniqueid: text(({ stored, deadLetter }) => stored?.uniqueid ?? deadLetter.uniqueid),
  callid: parameter('callid'),
  snumber: parameter('snumber'),
  cnumber: parameter('cnumber'),
  dnumber: parameter('dnumber'),
  customer: value(({ stored, deadLetter }) => stored?.scustomer ?? deadLetter.scustomer),
  customer_name: text(({ customer_name }) => customer_name),
  cost: value(({ stored, deadLetter }) => stored?.cost ?? deadLetter.cost),
  currency: text(currencyOf),
  tax: value(({ stored }) => stored?.tax),
  charged: value(({ stored }) => stored?.charged),
  customer_currency: text(({ stored }) => stored?.customer_currency),
  invoice: value(({ stored }) => stored?.invoice),
  source: text(({ deadLetter }) => deadLetter.source),
  machine: text(({ stored, deadLetter }) => stored?.machine ?? deadLetter.machine),
  submitted_by: text(submitterOf),
  verified: value(({ deadLetter }) => (deadLetter.verified ? 'yes' : 'no')),
  deaths: value(({ deadLetter }) => deadLetter.deaths),
  replays: value(({ deadLetter }) => deadLetter.replays),
  first_dead_at: value(({ deadLetter }) => deadLetter.first_dead_at),
  last_dead_at: value(({ deadLetter }) => deadLetter.last_dead_at),
  closed_at: value(({ deadLetter }) => deadLetter.closed_at),
  answer: text(({ deadLetter }) => responsesOf(deadLetter)),
  error: text(({ error }) => error),
  routing_key: text(({ routing_key }) => routing_key),
  body: text(({ deadLetter, mended_body }) => mended_body ?? deadLetter.body),
} satisfies Record<string, Column>;

export type ExportColumn = keyof typeof COLUMNS;
export const exportColumns = Object.keys(COLUMNS) as ExportColumn[];

/** Reads a list such as `id,cost`. Throws InvalidInput. */
export function readColumns(list: string): ExportColumn[] {
  return list.split(',').map((part) => {
    const name = part.trim();
    if (isExportColumn(name)) return name;
    throw new InvalidInput(
      `columns: expected some of ${exportColumns.join(', ')}, got ${JSON.stringify(name)}`,
    );
  });
}

function isExportColumn(name: string): name is ExportColumn {
  return Object.hasOwn(COLUMNS, name);
}

export function exportRow(
  deadLetter: DeadLetterSummary,
  detail: Omit<ExportDetail, 'id'>,
  systemCurrency: string,
): ExportRow {
  const body = detail.mended_body ?? deadLetter.body;
  const call = deadLetter.source === null ? (keptFields(body) ?? {}) : {};
  return { ...detail, deadLetter, call: withEdits(call, deadLetter.edits), systemCurrency };
}

/** A column's value as text; times in ISO 8601, UTC. */
export function textOfColumn(name: ExportColumn, row: ExportRow): string {
  const value = valueOfColumn(name, row);
  return value instanceof Date ? value.toISOString().replace('.000Z', 'Z') : String(value ?? '');
}

export function valueOfColumn(name: ExportColumn, row: ExportRow): Value {
  return COLUMNS[name].of(row);
}

export function kindOfColumn(name: ExportColumn): CellKind {
  return COLUMNS[name].kind;
}

/** Code, parameter and message of each response. */
export function responsesOf({ responses }: Pick<DeadLetterSummary, 'responses'>): string {
  return responses.map(({ code, key, message }) => `${code} ${key} ${message}`).join('; ');
}

function currencyOf({ stored, deadLetter, systemCurrency }: ExportRow): Value {
  if (stored !== null) return stored.currency;
  return deadLetter.currency ?? (deadLetter.cost === null ? null : systemCurrency);
}

function submitterOf({ stored, deadLetter }: ExportRow): Value {
  if (stored !== null) return stored.submitted_by;
  if (deadLetter.submitted_by === null || deadLetter.verified) return deadLetter.submitted_by;
  return senderOf(deadLetter);
}

function textIn(call: Fields, name: string): Value {
  const given: unknown = call[name];
  return typeof given === 'string' || typeof given === 'number' ? given : undefined;
}

function startOf({ stored, call }: ExportRow): number | undefined {
  return stored?.start ?? parameters.shape.start.safeParse(call.start).data;
}

function endOf(row: ExportRow): number | undefined {
  return row.stored?.end ?? parameters.shape.end.safeParse(row.call.end).data ?? startOf(row);
}

function durationOf(row: ExportRow): number | undefined {
  const [start, end] = [startOf(row), endOf(row)];
  return start === undefined || end === undefined || end < start ? undefined : end - start;
}

function timeOf(seconds: number | undefined): Date | undefined {
  return seconds === undefined ? undefined : new Date(seconds * 1000);
}
