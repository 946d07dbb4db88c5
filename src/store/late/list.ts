import { type Sql, unprepared } from '../sql.ts';
import { LATE_THINGS } from './things.ts';

/** All parts that are given must match. */
export interface LateFilter {
  customer?: number;
  currency?: string;
  /** By the start of the call: `since` inclusive, `until` exclusive. */
  since?: Date;
  until?: Date;
}

const CONDITIONS: readonly [keyof LateFilter, (place: string) => string][] = [
  ['customer', (p) => `customer = ${p}::int`],
  ['currency', (p) => `currency = ${p}::char(3)`],
  ['since', (p) => `start >= ${p}::timestamptz`],
  ['until', (p) => `start < ${p}::timestamptz`],
];

/** What no invoice took, of one customer in one currency. */
export interface LateSum {
  customer: number;
  name: string | null;
  currency: string;
  calls: number;
  corrections: number;
  cost: string;
  tax: string;
  /** Start of the oldest call. */
  oldest: Date;
}

/** One call, or one entry of its corrections, that no invoice took. */
export interface LateThing {
  uniqueid: string;
  /** The id of the entry; null for the call itself. */
  entry: string | null;
  /** `call`, or the kind of the entry. */
  kind: string;
  /** Of the call. */
  start: Date;
  customer: number;
  cost: string;
  tax: string;
  currency: string;
}

function selected(filter: LateFilter): { from: string; values: unknown[] } {
  const given = CONDITIONS.filter(([name]) => filter[name] !== undefined);
  const conditions = given.map(([, write], index) => ` and ${write(`$${index + 1}`)}`).join('');
  return {
    from: `(select * from (${LATE_THINGS}) as thing where true${conditions}) as thing`,
    values: given.map(([name]) => filter[name]),
  };
}

/** By customer and currency. Throws what the database throws. */
export async function sumLate(sql: Sql, filter: LateFilter): Promise<LateSum[]> {
  const { from, values } = selected(filter);
  const read = unprepared(
    'late.sums',
    `select customer, name, currency::text, calls, corrections, cost, tax, oldest from (
       select customer, currency, count(*) filter (where late_entry = '')::int as calls,
         count(*) filter (where late_entry <> '')::int as corrections,
         trim_scale(sum(cost))::text as cost, trim_scale(sum(tax))::text as tax, min(start) as oldest
       from ${from} group by customer, currency) as late
     left join (select id as customer, name from customers) as c using (customer) order by customer, currency`,
  );
  return await sql<LateSum>(read, values);
}

/** The oldest first. Throws what the database throws. */
export async function listLate(sql: Sql, filter: LateFilter, limit: number): Promise<LateThing[]> {
  const { from, values } = selected(filter);
  const read = unprepared(
    'late.list',
    `select uniqueid, nullif(late_entry, '') as entry, kind, start, customer, trim_scale(cost)::text as cost,
       trim_scale(tax)::text as tax, currency::text
     from ${from} order by start, uniqueid, late_entry limit $${values.length + 1}::int`,
  );
  return await sql<LateThing>(read, [...values, limit]);
}
