import type { Tried } from '../../calls/correct.ts';
import { readCallStory } from '../../calls/story.ts';
import { REVERSAL } from '../../domain/entry.ts';
import { moneyShown } from '../../domain/money-shown.ts';
import { shown } from '../../domain/text.ts';
import type { Order } from '../../store/calls/orders.ts';
import type { Sql } from '../../store/sql.ts';
import { customerOf } from '../dead/consequences.ts';
import { printLine, printTable } from '../print.ts';
import { printEntries } from './page.ts';

/** Prints what a correction would move. */
export function printPreview(
  { operation, uniqueid }: Order,
  { preview, names }: Extract<Tried, { kind: 'would be booked' }>,
): void {
  const { balances, invoices, late, terms, warnings } = preview;
  printLine(`${operation === 'void' ? 'void' : 'correct'} call ${shown(uniqueid)}`);
  const named = (customer: number) => customerOf(customer, names.get(customer) ?? null);
  if (balances.length + invoices.length + late.length === 0) printLine('no money moves');
  if (balances.length > 0)
    printTable(
      ['customer', 'balance changes by', 'calls'],
      balances.map(({ customer, balance, currency, calls }) => [
        named(customer),
        signed(balance, currency),
        signedCount(calls),
      ]),
    );
  if (invoices.length > 0)
    printTable(
      ['invoice', 'cost', 'tax', 'total', 'calls'],
      invoices.map(({ invoice, cost, tax, total, currency, calls }) => [
        invoice,
        signed(cost, currency),
        signed(tax, currency),
        signed(total, currency),
        signedCount(calls),
      ]),
    );
  for (const { customer, cost, tax, currency } of late)
    printLine(
      `late, on no invoice, for customer ${named(customer)}: cost ${signed(cost, currency)}, tax ${signed(tax, currency)}`,
    );
  if (terms.length > 0)
    printLine(
      `terms of today for the new amounts: ${terms.map(([name, value]) => `${name} ${value}`).join('; ')}`,
    );
  for (const warning of warnings) printLine(`WARNING: ${warning}`);
}

/** With a plus where something is gained, for it is a change and no amount. */
function signed(amount: string, currency: string): string {
  const isGain = !amount.startsWith('-') && Number(amount) !== 0;
  return `${isGain ? '+' : ''}${moneyShown(amount, currency)}`;
}

function signedCount(count: number): string {
  return count > 0 ? `+${count}` : String(count);
}

/** Prints the entries that an order became. */
export async function printBooked(sql: Sql, { id, uniqueid }: Order): Promise<void> {
  printLine(`booked as entry ${id}`);
  const story = await readCallStory(sql, uniqueid);
  const own = story?.entries.filter((entry) => entry.id === id || entry.id === id + REVERSAL) ?? [];
  if (own.length > 0) printEntries(own);
}
