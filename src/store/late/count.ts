import { type Sql, statement } from '../sql.ts';
import { LATE_CALLS, LATE_ENTRIES } from './things.ts';

/** What no invoice took, in one currency. */
export interface Uninvoiced {
  currency: string;
  /** Calls and corrections. */
  count: number;
  /** Cost and tax together; for people, not for books. */
  amount: number;
  /** Seconds since the oldest of them was stored or booked. */
  oldestSeconds: number;
}

/** Where nothing is ever put on an invoice, every call is late: counting them all would take as long as reading all. */
export const COUNTED_AT_MOST = 100_000;

const COUNT = statement(
  'late.count',
  `
  select currency::text as currency, count(*)::int as count, sum(cost + tax)::float8 as amount,
    greatest(0, extract(epoch from clock_timestamp() - min(since)))::float8 as "oldestSeconds"
  from (
    select * from (
      select late.currency, late.cost, late.tax, late.booked_at as since from ${LATE_ENTRIES}
      union all
      select late.currency, late.cost, late.tax, late.received_at from ${LATE_CALLS}) as late
    limit ${COUNTED_AT_MOST}) as counted
  group by currency`,
);

/** Counts what no invoice took, up to COUNTED_AT_MOST. Throws what the database throws. */
export async function countUninvoiced(sql: Sql): Promise<Uninvoiced[]> {
  return await sql<Uninvoiced>(COUNT, []);
}
