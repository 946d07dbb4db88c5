import type { ListedCall } from '../../calls/listed.ts';
import { moneyShown } from '../../domain/money-shown.ts';
import { shorten } from '../../domain/text.ts';
import { printTable } from '../print.ts';
import { timeOf } from './times.ts';

const HEAD = [
  'uniqueid',
  'start (UTC)',
  'customer',
  'from',
  'called',
  'to',
  'talk (s)',
  'cost',
  'charged',
  'invoice',
  'corrected',
];

/** What is in force of each call. */
export function printCalls(calls: readonly ListedCall[]): void {
  printTable(
    HEAD,
    calls.map((call) => [
      shorten(call.uniqueid, 40),
      timeOf(call.start),
      shorten([call.customer, call.customer_name ?? ''].join(' ').trimEnd(), 32),
      shorten(call.snumber, 24),
      shorten(call.cnumber, 24),
      shorten(call.dnumber, 24),
      call.talktime,
      moneyShown(call.cost, call.currency),
      moneyShown(call.charged, call.customer_currency),
      call.invoice ?? (call.late ? 'late' : ''),
      correctedOf(call),
    ]),
  );
}

/** By whom and why, of the latest entry. */
function correctedOf({ voided, corrected_by, corrected_why }: ListedCall): string[] {
  if (corrected_by === null) return [];
  const why = corrected_why === null ? [] : [shorten(corrected_why, 40)];
  return [`${voided ? 'voided ' : ''}by ${shorten(corrected_by, 24)}`, ...why];
}
