import { inForceOf } from '../../calls/in-force.ts';
import type { CallStory, StoryCall, StoryEntry } from '../../calls/story.ts';
import { cdrFields } from '../../domain/cdr.ts';
import { moneyShown } from '../../domain/money-shown.ts';
import { shorten } from '../../domain/text.ts';
import { counted } from '../../plural.ts';
import type { CallRecord, InvoiceOfCall } from '../../store/calls/read.ts';
import { customerOf } from '../dead/consequences.ts';
import { printLine, printTable } from '../print.ts';
import { printCharge } from './charge.ts';
import { bothTimes, timeOf } from './times.ts';

/** Prints everything that is known of a call. */
export function printStory(story: CallStory): void {
  const { uniqueid, call, entries, deadLetters, orders, invoices } = story;
  if (call === null)
    printLine(
      `call ${uniqueid} has been pruned: its uniqueid and its part of the sums are kept, nothing else`,
    );
  else {
    printCall(call);
    printInForce(story);
    printLine('');
    printLine(entries.length === 0 ? 'charged:' : 'charged when it was stored:');
    printCharge(call, invoices);
  }
  if (entries.length > 0) printEntries(entries, invoices);
  if (deadLetters.length > 0) printDeadLetters(deadLetters);
  const waiting = orders.filter(({ responses }) => responses === null);
  for (const { operation, operator, why, createdAt } of waiting)
    printLine(`${operation} asked for by ${operator} at ${timeOf(createdAt)} UTC, not answered yet: ${why}`);
  if (call !== null) printParameters(call);
}

function printCall(call: StoryCall): void {
  const seconds = (call.end.getTime() - call.start.getTime()) / 1000;
  printLine(`call ${call.uniqueid}`);
  if (call.callid !== call.uniqueid) printLine(`  callid ${call.callid}`);
  printLine(`  customer ${customerOf(call.scustomer, call.customer_name)}`);
  printLine(`  started ${bothTimes(call.start)}`);
  printLine(`  ended   ${bothTimes(call.end)}, after ${seconds} s; talked ${call.talktime} s`);
  const numbers = { from: call.snumber, called: call.cnumber, to: call.dnumber };
  const given = Object.entries(numbers).filter(([, number]) => number !== '');
  if (given.length > 0) printLine(`  ${given.map(([name, number]) => `${name} ${number}`).join(', ')}`);
  const feed = call.source === null ? '' : ` by the feed ${call.source}`;
  const replayed = call.replayed_by === null ? '' : `, replayed by ${call.replayed_by}`;
  printLine(`  sent by ${call.submitted_by}${feed}${replayed}, stored ${bothTimes(call.received_at)}`);
}

/** In one line what all corrections have come to. */
function printInForce({ call, entries, invoices }: CallStory): void {
  const now = inForceOf({ call, entries });
  if (now === null || entries.length === 0) return;
  const many = counted(entries.length, 'entry');
  if (now.isVoided) {
    printLine(`  VOIDED, after ${many}: nothing is charged for it`);
    return;
  }
  const billed = now.isLate
    ? 'late, on no invoice'
    : now.invoice === null
      ? 'on no invoice'
      : `on invoice ${invoiceText(now.invoice, invoices)}`;
  printLine(
    `  in force after ${many}: charged ${moneyShown(now.charged, now.customer_currency)} to customer ${customerOf(now.scustomer, now.customer_name)}, ${billed}`,
  );
}

/** The invoice with its status, or that it is gone. */
function invoiceText(invoice: number, invoices: readonly InvoiceOfCall[]): string {
  const status = invoices.find(({ id }) => id === invoice)?.status;
  return `${invoice} (${status ?? 'does not exist any more'})`;
}

/** What each entry moved: who and why, whose balance, which invoice. */
export function printEntries(entries: readonly StoryEntry[], invoices: readonly InvoiceOfCall[] = []): void {
  printLine('');
  printTable(
    [
      'booked (UTC)',
      'entry',
      'by',
      'customer',
      'charged',
      'invoice',
      'invoice cost + tax',
      'cost',
      'tax',
      'why',
    ],
    entries.map((entry) => [
      timeOf(entry.booked_at),
      entry.kind,
      entry.booked_by,
      customerOf(entry.customer, entry.customer_name),
      moneyShown(entry.charged, entry.customer_currency),
      placeOf(entry, invoices),
      billedOf(entry),
      moneyShown(entry.cost, entry.currency),
      moneyShown(entry.tax, entry.currency),
      entry.why ?? '',
    ]),
  );
}

function placeOf({ invoice, late }: StoryEntry, invoices: readonly InvoiceOfCall[]): string {
  if (invoice === null) return late ? 'late' : '';
  const isNamed = invoices.some(({ id }) => id === invoice);
  return isNamed ? invoiceText(invoice, invoices) : String(invoice);
}

function billedOf({ invoice_cost, invoice_tax, invoice_currency }: StoryEntry): string {
  if (invoice_currency === null) return '';
  return `${moneyShown(invoice_cost, invoice_currency)} + ${moneyShown(invoice_tax, invoice_currency)}`;
}

function printDeadLetters(letters: CallRecord['deadLetters']): void {
  printLine('');
  printTable(
    [
      'dead letter',
      'asked for',
      'reason',
      'status',
      'answer',
      'first died (UTC)',
      'closed (UTC)',
      'deaths',
      'replays',
    ],
    letters.map((letter) => [
      letter.id,
      letter.operation,
      letter.reason,
      letter.status,
      shorten(letter.responses.map(({ code, key }) => `${code} ${key}`.trim()).join(', '), 40),
      timeOf(letter.first_dead_at),
      letter.closed_at === null ? '' : timeOf(letter.closed_at),
      letter.deaths,
      letter.replays,
    ]),
  );
}

function printParameters(call: StoryCall): void {
  printLine('');
  printTable(
    ['parameter', 'stored'],
    cdrFields.map((field) => [field, shorten(textOf(call[field]), 200)]),
  );
}

function textOf(value: string | number | Date | null): string {
  return value instanceof Date ? value.toISOString().replace('.000Z', 'Z') : String(value ?? '');
}
