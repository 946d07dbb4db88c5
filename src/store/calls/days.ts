import { TIMESTAMP_MAX } from '../../domain/contract.ts';
import { type Sql, statement } from '../sql.ts';
import type { CallFilter } from './filter.ts';

/**
 * The day (UTC) on which a call started. It comes first in the index `cdrs_day_idx`, in which the calls of one day therefore lie
 * together: a batch touches few of its pages, and an insert costs a quarter of what it costs in one by customer
 * (docs/performance.md). Searches name every day that they mean.
 */
const day = (start: string) => `((${start} at time zone interval '0')::date)`;

/** Days are numbers since 1970. */
const EPOCH = `date '1970-01-01'`;
const DAY_MS = 86_400_000;

/** SQL that is true for a call that started on one of these days; the place holds their numbers. */
export function onDays(place: string): string {
  return `${day('d.start')} = any(array(select ${EPOCH} + n from unnest(${place}::int[]) as n))`;
}

export function dayOf(time: Date): number {
  return Math.floor(time.getTime() / DAY_MS);
}

/**
 * From one day to the one before of which there is a call, through the index: what lies between is never looked at, as where a
 * switch with a wrong clock sends a start in a year to come.
 */
const DAYS = statement(
  'calls.days',
  `with recursive days(day) as (
     (select ${day('d.start')} from cdrs d where ${day('d.start')} between ${EPOCH} + $1::int and ${EPOCH} + $2::int
      order by ${day('d.start')} desc limit 1)
     union all
     select (select ${day('d.start')} from cdrs d where ${day('d.start')} < days.day and ${day('d.start')} >= ${EPOCH} + $1::int
       order by ${day('d.start')} desc limit 1) from days where day is not null)
   select day - ${EPOCH} as day from days where day is not null`,
);

/** The last day that a call can start on: what the contract admits ends with the year 9999. */
const LAST = dayOf(new Date(TIMESTAMP_MAX * 1000));

/** The days of which there are calls and that the filter admits, the latest first. */
export async function daysOf(sql: Sql, { since, until }: CallFilter): Promise<number[]> {
  const from = since === undefined ? 0 : dayOf(since);
  const to = until === undefined ? LAST : dayOf(until);
  return (await sql<{ day: number }>(DAYS, [from, to])).map((row) => row.day);
}
