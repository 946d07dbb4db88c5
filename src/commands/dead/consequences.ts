import { timeOf } from '../../dead-letters/format.ts';
import { counted } from '../../plural.ts';
import type { Consequences, CustomerShare } from '../../store/dead-letters/consequences.ts';
import { printLine, printTable } from '../print.ts';

/** Prints what an act is about before it is done: how many, whose, how much money. */
export function printConsequences(consequences: Consequences, participle: string): void {
  const { count, unverified, at_stake, by_customer, others, oldest } = consequences;
  const money = at_stake.map(({ cost, currency }) => `${cost} ${currency}`).join(', ') || 'no money';
  const since = oldest === null ? '' : `, the oldest of ${timeOf(oldest)} (UTC)`;
  printLine(`${counted(count, 'dead letter')} to be ${participle}${since}; at stake: ${money}`);
  if (unverified > 0) printLine(`${unverified} of them of unverified senders, whose costs are not counted`);
  printTable(['customer', 'dead letters', 'money at stake'], by_customer.map(shareRow));
  if (others !== null)
    printLine(
      `and ${counted(others.count, 'dead letter')} of ${counted(others.customers, 'other customer')}`,
    );
}

function shareRow({ customer, name, count, cost, currency }: CustomerShare) {
  return [customerOf(customer, name), count, `${cost} ${currency}`];
}

/** A customer by id and name. */
export function customerOf(customer: number | null, name: string | null): string {
  if (customer === null) return '(unknown)';
  return name === null ? `${customer}` : `${customer} ${name}`;
}
