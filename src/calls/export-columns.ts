import type { CellKind } from '../csv.ts';
import { InvalidInput } from '../input.ts';
import type { ListedCall } from './listed.ts';

type Value = string | number | boolean | Date | null;

interface Column {
  kind: CellKind;
  of: (call: ListedCall) => Value;
}

const text = (of: Column['of']): Column => ({ kind: 'text', of });
const value = (of: Column['of']): Column => ({ kind: 'value', of });

/** Everything that can be exported, in the order for people who check bills. What the call was stored with has `stored` in its name. */
const COLUMNS = {
  start: value((call) => call.start),
  end: value((call) => call.end),
  duration: value((call) => (call.end.getTime() - call.start.getTime()) / 1000),
  uniqueid: text((call) => call.uniqueid),
  callid: text((call) => call.callid),
  customer: value((call) => call.customer),
  customer_name: text((call) => call.customer_name),
  snumber: text((call) => call.snumber),
  sname: text((call) => call.sname),
  cnumber: text((call) => call.cnumber),
  dnumber: text((call) => call.dnumber),
  talktime: value((call) => call.talktime),
  totaltime: value((call) => call.totaltime),
  cost: value((call) => call.cost),
  currency: text((call) => call.currency),
  taxes: text((call) => call.taxes),
  tax: value((call) => call.tax),
  charged: value((call) => call.charged),
  customer_currency: text((call) => call.customer_currency),
  invoice: value((call) => call.invoice),
  invoice_cost: value((call) => call.invoice_cost),
  invoice_tax: value((call) => call.invoice_tax),
  invoice_currency: text((call) => call.invoice_currency),
  voided: value((call) => (call.voided ? 'yes' : 'no')),
  late: value((call) => (call.late ? 'yes' : 'no')),
  corrections: value((call) => call.corrections),
  corrected_at: value((call) => call.corrected_at),
  corrected_by: text((call) => call.corrected_by),
  corrected_why: text((call) => call.corrected_why),
  scustomer: value((call) => call.scustomer),
  cost_stored: value((call) => call.cost_stored),
  currency_stored: text((call) => call.currency_stored),
  taxes_stored: text((call) => call.taxes_stored),
  tax_stored: value((call) => call.tax_stored),
  charged_stored: value((call) => call.charged_stored),
  customer_currency_stored: text((call) => call.customer_currency_stored),
  invoice_stored: value((call) => call.invoice_stored),
  invoice_cost_stored: value((call) => call.invoice_cost_stored),
  invoice_tax_stored: value((call) => call.invoice_tax_stored),
  invoice_currency_stored: text((call) => call.invoice_currency_stored),
  messages_stored: value((call) => call.messages_stored),
  time_stored: value((call) => call.time_stored),
  machine: text((call) => call.machine),
  source: text((call) => call.source),
  submitted_by: text((call) => call.submitted_by),
  replayed_by: text((call) => call.replayed_by),
  received_at: value((call) => call.received_at),
  dcustomer: value((call) => call.dcustomer),
  stype: text((call) => call.stype),
  spresent: value((call) => call.spresent),
  ctype: text((call) => call.ctype),
  dtype: text((call) => call.dtype),
  channel: text((call) => call.channel),
  peer: value((call) => call.peer),
  status: text((call) => call.status),
  media: text((call) => call.media),
  messages: value((call) => call.messages),
  time: value((call) => call.time),
  ingroup_time: value((call) => call.ingroup_time),
  outgroup_time: value((call) => call.outgroup_time),
  update_balance: value((call) => call.update_balance),
  update_invoices: value((call) => call.update_invoices),
  recording: text((call) => call.recording),
  note: text((call) => call.note),
} satisfies Record<string, Column>;

export type CallColumn = keyof typeof COLUMNS;
export const callColumns = Object.keys(COLUMNS) as CallColumn[];

/** Reads a list such as `start,cost`. Throws InvalidInput. */
export function readCallColumns(list: string): CallColumn[] {
  return list.split(',').map((part) => {
    const name = part.trim();
    if (isCallColumn(name)) return name;
    throw new InvalidInput(
      `columns: expected some of ${callColumns.join(', ')}, got ${JSON.stringify(name)}`,
    );
  });
}

function isCallColumn(name: string): name is CallColumn {
  return Object.hasOwn(COLUMNS, name);
}

/** A column's value as text; times in ISO 8601, UTC. */
export function cellOf(name: CallColumn, call: ListedCall): { text: string; kind: CellKind } {
  const { kind, of } = COLUMNS[name];
  const value = of(call);
  const text = value instanceof Date ? value.toISOString().replace('.000Z', 'Z') : String(value ?? '');
  return { text, kind };
}
