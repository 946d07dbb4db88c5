import { amount, plain } from '../domain/money.ts';
import { openStatuses } from '../domain/record.ts';
import { countDeadLetters, type DeadLetterFilter, type Money } from '../store/dead-letters/list.ts';
import { type Problem, readProblems } from '../store/dead-letters/problems.ts';
import type { Sql } from '../store/sql.ts';

/** What a list is about as a whole. */
export interface Totals {
  count: number;
  /** There are more than `count`. */
  isMore: boolean;
  /** Open ones of senders who are not verified; their costs are no money at stake. */
  unverified: number;
  at_stake: Money[];
}

/** The sums of all problems, each amount exact. */
export function totalsOf(problems: readonly Problem[]): Totals {
  const sums = new Map<string, string>();
  for (const { currency, cost } of problems.flatMap(({ at_stake }) => at_stake))
    sums.set(currency, plain(amount(sums.get(currency) ?? '0').plus(amount(cost))));
  return {
    count: problems.reduce((sum, { count }) => sum + count, 0),
    isMore: false,
    unverified: problems.reduce((sum, { unverified }) => sum + unverified, 0),
    at_stake: [...sums].sort().map(([currency, cost]) => ({ currency, cost })),
  };
}

/** Closed dead letters may be millions, kept for years; whoever looks at a list need not wait until they are counted. */
const COUNTED_AT_MOST = 100_000;

/** The totals of a list. Only what is open is at stake. */
export async function readTotals(
  sql: Sql,
  filter: DeadLetterFilter,
  systemCurrency: string,
): Promise<Totals> {
  const statuses = filter.statuses ?? [];
  const open = statuses.length === 0 ? openStatuses : statuses.filter((one) => openStatuses.includes(one));
  const problems =
    open.length === 0 ? [] : await readProblems(sql, { ...filter, statuses: open }, systemCurrency);
  const totals = totalsOf(problems);
  if (statuses.length > 0 && open.length === statuses.length) return totals;
  const count = await countDeadLetters(sql, filter, COUNTED_AT_MOST + 1);
  return { ...totals, count: Math.min(count, COUNTED_AT_MOST), isMore: count > COUNTED_AT_MOST };
}
