import { moneyShown } from '../../domain/money-shown.ts';
import { shorten } from '../../domain/text.ts';
import type { CallRow } from '../../store/calls/row.ts';
import { printTable } from '../print.ts';

const HEAD = ['uniqueid', 'start (UTC)', 'customer', 'from', 'to', 'talk (s)', 'cost', 'charged', 'invoice'];

export function printCalls(calls: readonly CallRow[]): void {
  printTable(
    HEAD,
    calls.map((call) => [
      shorten(call.uniqueid, 40),
      timeOf(call.start),
      shorten([call.scustomer, call.customer_name ?? ''].join(' ').trimEnd(), 32),
      shorten(call.cnumber || call.snumber, 24),
      shorten(call.dnumber, 24),
      call.talktime,
      moneyShown(call.cost, call.currency),
      moneyShown(call.charged, call.customer_currency),
      call.invoice ?? '',
    ]),
  );
}

/** To the second, in UTC. */
export function timeOf(date: Date): string {
  return date.toISOString().slice(0, 19).replace('T', ' ');
}
