import { TIMESTAMP_MAX } from '../../domain/contract.ts';
import { type Sql, statement } from '../sql.ts';
import type { CallFilter } from './filter.ts';

/**
 * The hour (UTC) in which a call started. It comes first in the index `cdrs_found_idx`, in which the calls of one hour therefore
 * lie together: a batch touches few of its pages, and an insert costs a fraction of what it costs in one by customer
 * (docs/performance.md). Searches name every hour of the days that they mean.
 */
const hour = (start: string) => `date_trunc('hour', ${start} at time zone interval '0')`;

/** Days are numbers since 1970. */
const EPOCH = `date '1970-01-01'`;
const DAY_MS = 86_400_000;

/** SQL that is true for a call that started on one of these days; the place holds their numbers. */
export function onDays(place: string): string {
  return `${hour('d.start')} = any(array(
    select ${EPOCH} + n + h * interval '1 hour' from unnest(${place}::int[]) as n, generate_series(0, 23) as h))`;
}

export function dayOf(time: Date): number {
  return Math.floor(time.getTime() / DAY_MS);
}

/** The start of a day whose number is in a place. */
const startOf = (place: string) => `(${EPOCH} + ${place})::timestamp`;

const latest = (condition: string) =>
  `select ${hour('d.start')}::date from cdrs d where ${condition} order by ${hour('d.start')} desc limit 1`;

/**
 * From one day to the one before of which there is a call, through the index: what lies between is never looked at, as where a
 * switch with a wrong clock sends a start in a year to come.
 */
const DAYS = statement(
  'calls.days',
  `with recursive days(day) as (
     (${latest(`${hour('d.start')} >= ${startOf('$1::int')} and ${hour('d.start')} < ${startOf('$2::int + 1')}`)})
     union all
     select (${latest(`${hour('d.start')} < days.day::timestamp and ${hour('d.start')} >= ${startOf('$1::int')}`)})
     from days where day is not null)
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
