import type { CallStory, ChargedTax, StoryCall, StoryEntry } from '../../calls/story.ts';
import { cdrFields } from '../../domain/cdr.ts';
import { moneyShown } from '../../domain/money-shown.ts';
import { shorten } from '../../domain/text.ts';
import type { CallRecord } from '../../store/calls/read.ts';
import { printLine, printTable } from '../print.ts';
import { timeOf } from './tables.ts';

/** Prints everything that is known of a call. */
export function printStory({ uniqueid, call, entries, deadLetters, orders, invoices }: CallStory): void {
  if (call === null) printLine(`call ${uniqueid} has been pruned: only its uniqueid and the sums are kept`);
  else printCall(call, invoices);
  if (entries.length > 0) printEntries(entries);
  if (deadLetters.length > 0) printDeadLetters(deadLetters);
  const waiting = orders.filter(({ responses }) => responses === null);
  for (const { operation, operator, why, createdAt } of waiting)
    printLine(`${operation} asked for by ${operator} at ${timeOf(createdAt)} UTC, not answered yet: ${why}`);
}

function printCall(call: StoryCall, invoices: CallRecord['invoices']): void {
  printLine(`call ${call.uniqueid}`);
  printLine(`  started ${bothTimes(call.start)}`);
  printLine(`  ended   ${bothTimes(call.end)}`);
  const name = call.customer_name === null ? ', who does not exist any more' : ` (${call.customer_name})`;
  printLine(
    `  charged ${moneyShown(call.charged, call.customer_currency)} to customer ${call.scustomer}${name}`,
  );
  printLine(`  cost ${moneyShown(call.cost, call.currency)}, tax ${moneyShown(call.tax, call.currency)}`);
  for (const tax of call.charged_taxes) printLine(`    ${taxLine(tax, call.currency)}`);
  printLine(`  ${invoiceLine(call, invoices)}`);
  const replayed = call.replayed_by === null ? '' : `, replayed by ${call.replayed_by}`;
  const feed = call.source === null ? '' : ` by the feed ${call.source}`;
  printLine(`  stored ${bothTimes(call.received_at)} from ${call.submitted_by}${feed}${replayed}`);
  printTable(
    ['parameter', 'value'],
    cdrFields.map((field) => [field, shorten(textOf(call[field]), 200)]),
  );
}

function textOf(value: string | number | Date | null): string {
  return value instanceof Date ? value.toISOString().replace('.000Z', 'Z') : String(value ?? '');
}

function taxLine({ id, name, rate, flat, currency, amount }: ChargedTax, ofCall: string): string {
  const parts = [
    ...(Number(rate) === 0 ? [] : [`${rate} %`]),
    ...(Number(flat) === 0 ? [] : [`${flat} ${currency ?? '(system currency)'} a call`]),
  ];
  return `tax ${id}${name === null ? '' : ` ${name}`}: ${parts.join(' and ') || '0 %'} = ${moneyShown(amount, ofCall)}`;
}

function invoiceLine(call: StoryCall, invoices: CallRecord['invoices']): string {
  if (call.invoice === null)
    return call.update_invoices === 1 ? 'on no invoice: none took it' : 'on no invoice';
  const status = invoices.find(({ id }) => id === call.invoice)?.status;
  const at = `invoice ${call.invoice}${status === undefined ? ', which does not exist any more' : ` (${status})`}`;
  if (call.update_invoices === 0 || call.invoice_currency === null)
    return `names ${at}, which gained nothing`;
  const cost = moneyShown(call.invoice_cost, call.invoice_currency);
  return `on ${at}: cost ${cost}, tax ${moneyShown(call.invoice_tax, call.invoice_currency)}`;
}

export function printEntries(entries: readonly StoryEntry[]): void {
  printLine('');
  printTable(
    ['booked (UTC)', 'entry', 'by', 'customer', 'charged', 'invoice', 'cost', 'why'],
    entries.map((entry) => [
      timeOf(entry.booked_at),
      entry.kind,
      entry.booked_by,
      entry.customer,
      moneyShown(entry.charged, entry.customer_currency),
      entry.invoice ?? (entry.late ? 'late' : ''),
      moneyShown(entry.cost, entry.currency),
      entry.why ?? '',
    ]),
  );
}

function printDeadLetters(letters: CallRecord['deadLetters']): void {
  printLine('');
  printTable(
    ['dead letter', 'reason', 'status', 'first died (UTC)', 'last died (UTC)', 'deaths', 'replays'],
    letters.map(({ id, reason, status, first_dead_at, last_dead_at, deaths, replays }) => [
      id,
      reason,
      status,
      timeOf(first_dead_at),
      timeOf(last_dead_at),
      deaths,
      replays,
    ]),
  );
}

/** In UTC, and as the clock of this machine's time zone had it. */
function bothTimes(date: Date): string {
  const local = new Intl.DateTimeFormat('sv-SE', {
    dateStyle: 'short',
    timeStyle: 'medium',
  }).format(date);
  const zone = new Intl.DateTimeFormat('en', { timeZoneName: 'shortOffset' })
    .formatToParts(date)
    .find(({ type }) => type === 'timeZoneName')?.value;
  return `${timeOf(date)} UTC, ${local} local time (${zone})`;
}
