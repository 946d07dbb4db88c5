import { amount, plain, ZERO } from '../domain/money.ts';
import type { DryRunCall } from './dry-run.ts';

/** What would be charged to one customer in one currency. */
export interface ChargeSum {
  customer: number;
  currency: string;
  calls: number;
  charged: string;
}

/** Sums of the calls that would be stored, by customer and currency, exact. */
export function chargesOf(rows: readonly DryRunCall[]): ChargeSum[] {
  const sums = new Map<string, { customer: number; currency: string; calls: number; sum: typeof ZERO }>();
  for (const { customer, currency, charged } of rows) {
    if (customer === null || currency === null || charged === null) continue;
    const key = `${customer} ${currency}`;
    const before = sums.get(key) ?? { customer, currency, calls: 0, sum: ZERO };
    sums.set(key, { ...before, calls: before.calls + 1, sum: before.sum.plus(amount(charged)) });
  }
  return [...sums.values()]
    .sort((one, other) => one.customer - other.customer)
    .map(({ sum, ...rest }) => ({ ...rest, charged: plain(sum) }));
}

/** How many would become what, most first. */
export function countsOf(rows: readonly DryRunCall[]): { becomes: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { becomes } of rows) counts.set(becomes, (counts.get(becomes) ?? 0) + 1);
  return [...counts]
    .map(([becomes, count]) => ({ becomes, count }))
    .sort((one, other) => other.count - one.count);
}
