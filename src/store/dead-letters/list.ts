import type { Edits } from '../../domain/kept.ts';
import type { DeadReason } from '../../domain/outcome.ts';
import type { DeadLetterStatus } from '../../domain/record.ts';
import type { ResponseEntry } from '../../domain/reply.ts';
import { type Sql, type Statement, statement, unprepared } from '../sql.ts';
import { answerKey, conditionOf, type DeadLetterFilter } from './filter.ts';
import { type Cursor, orders, type Sort } from './sort.ts';

export type { DeadLetterFilter } from './filter.ts';

/** A dead letter as lists and exports show it, by column. */
export interface DeadLetterSummary {
  id: number;
  reason: DeadReason;
  status: DeadLetterStatus;
  uniqueid: string | null;
  scustomer: number | null;
  machine: string | null;
  /** The feed that it came by; null for a message that speaks the contract. */
  source: string | null;
  /** Only a claim unless `verified`. */
  submitted_by: string | null;
  verified: boolean;
  responses: ResponseEntry[];
  /** Null if it cannot be read; without a currency it is in the system currency. */
  cost: string | null;
  currency: string | null;
  /** As received, without the password; of a feed the native record. */
  body: string;
  /** What was masked or cut besides the password: parameter names, '' for the body as a whole. */
  altered: string[];
  edits: Edits;
  deaths: number;
  replays: number;
  first_dead_at: Date;
  last_dead_at: Date;
  closed_at: Date | null;
  /** Null for a customer that does not exist. */
  customer_name: string | null;
  /** Of an unroutable message: the routing key that it was sent with. */
  routing_key: string | null;
  /** The first parameter that the reply names, '' if it names none. */
  answer_key: string;
  /** An operator replaced its body. */
  mended: boolean;
  /** Discarded so that its switch does not open it again; or merged. */
  closed_for_good: boolean;
  /** When its switch sent the call again after it was discarded. */
  reopened_at: Date | null;
}

export const summaryColumns = `d.id::float8 as id, d.reason, d.status, d.uniqueid, d.scustomer, d.machine, d.source, d.submitted_by, d.verified, d.responses,
  trim_scale(d.cost)::text as cost, d.currency, d.body, d.altered, d.edits, d.deaths, d.replays, d.first_dead_at, d.last_dead_at,
  d.closed_at, (select c.name from customers c where c.id = d.scustomer) as customer_name,
  case d.reason when 'unroutable' then d.properties ->> 'routingKey' end as routing_key, ${answerKey} as answer_key,
  d.mended_body is not null as mended, d.closed_for_good, d.reopened_at`;

/** Which part of the list, and in which order: the latest death first if none is named. */
export interface PageOptions {
  sort?: Sort;
  after?: Cursor | undefined;
}

/** A page comes from an index, without sorting (sort.ts). */
export function pageStatement(
  filter: DeadLetterFilter,
  limit: number,
  { sort = 'latest', after }: PageOptions = {},
): { page: Statement; values: unknown[] } {
  const { text, values } = conditionOf(filter);
  const { key, type, direction } = orders[sort];
  const [by, id] = [`$${values.length + 1}::${type}`, `$${values.length + 2}::bigint`];
  const rest =
    after === undefined ? '' : `and (${key}, d.id) ${direction === 'desc' ? '<' : '>'} (${by}, ${id})`;
  const found = `dead_letters d where ${text} ${rest}`;
  // What a search finds is sorted (`offset` keeps it apart): in the order of an index it would be looked for row by row.
  const rows = filter.search === undefined ? found : `(select d.* from ${found} offset 0) as d`;
  return {
    page: unprepared(
      'dead-letters.page',
      `select ${summaryColumns}, (${key})::text as by from ${rows} order by ${key} ${direction}, d.id ${direction} limit ${limit}`,
    ),
    values: after === undefined ? values : [...values, after.by, after.id],
  };
}

/** One page of the list. `next` is undefined on the last one. */
export async function readPage(
  sql: Sql,
  filter: DeadLetterFilter,
  limit: number,
  options: PageOptions = {},
): Promise<{ deadLetters: DeadLetterSummary[]; next: Cursor | undefined }> {
  const { page, values } = pageStatement(filter, limit + 1, options);
  const rows = await sql<DeadLetterSummary & { by: string }>(page, values);
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const next = rows.length > limit && last !== undefined ? { by: last.by, id: last.id } : undefined;
  return { deadLetters: shown.map(({ by, ...deadLetter }) => deadLetter), next };
}

/** How many dead letters match; counts no further than `atMost`. */
export async function countDeadLetters(
  sql: Sql,
  filter: DeadLetterFilter,
  atMost: number | null = null,
): Promise<number> {
  const { text, values } = conditionOf(filter);
  const count = unprepared(
    'dead-letters.count',
    `select count(*)::int as count from (select from dead_letters d where ${text} limit $${values.length + 1}::int) as found`,
  );
  const [row] = await sql<{ count: number }>(count, [...values, atMost]);
  return row?.count ?? 0;
}

const UNKNOWN_IDS = statement(
  'dead-letters.unknown-ids',
  `select id from json_array_elements_text($1::json) as given(id)
   where not exists (select from dead_letters d where d.id = given.id::bigint)`,
);

/** The ids that do not exist. */
export async function unknownIds(sql: Sql, ids: readonly string[]): Promise<string[]> {
  const rows = await sql<{ id: string }>(UNKNOWN_IDS, [JSON.stringify(ids)]);
  return rows.map(({ id }) => id);
}

/** What dead letters can be grouped by. Code and key count once for each different response of a dead letter. */
const GROUPS = {
  reason: 'd.reason',
  status: 'd.status',
  code: 'response.value',
  key: 'response.value',
  customer: 'd.scustomer::text',
  machine: 'd.machine',
  source: 'd.source',
  uniqueid: 'd.uniqueid',
  sender: 'd.submitted_by',
  day: "to_char(d.last_dead_at, 'YYYY-MM-DD')",
  hour: `to_char(d.last_dead_at, 'YYYY-MM-DD"T"HH24:00"Z"')`,
} as const;

/**
 * A row for each different value among the responses. Most dead letters have a single response, and a subquery for each
 * of them would take most of the time (test/dead-letters/scale.test.ts: 2.2 s in place of 0.5 s for 100,000).
 */
function responsesBy(field: GroupField): string {
  if (field !== 'code' && field !== 'key') return '';
  return `cross join lateral unnest(case jsonb_array_length(d.responses)
    when 1 then array[d.responses -> 0 ->> '${field}']
    else array(select distinct e ->> '${field}' from jsonb_array_elements(d.responses) e) end) as response(value)`;
}

export type GroupField = keyof typeof GROUPS;
export const groupFields = Object.keys(GROUPS) as GroupField[];

export interface DeadLetterGroup {
  value: string | null;
  /** Of a customer who exists; there only where customers are grouped by. */
  name?: string | null;
  count: number;
  last_dead_at: Date;
  /** Costs of the calls that are neither stored nor discarded, where they can be read and their sender is known. */
  at_stake: Money[];
}

/** A sum of costs in one currency. */
export interface Money {
  currency: string;
  cost: string;
}

/** Counts and the money at stake, the largest groups first; at most `limit` of them. */
export async function groupDeadLetters(
  sql: Sql,
  filter: DeadLetterFilter,
  field: GroupField,
  systemCurrency: string,
  limit?: number,
): Promise<DeadLetterGroup[]> {
  const { text, values } = conditionOf(filter);
  const group = unprepared(
    'dead-letters.group',
    `with part as (
      select ${GROUPS[field]} as value, coalesce(d.currency, $${values.length + 1}::char(3)) as currency,
        count(*) as count, max(d.last_dead_at) as last_dead_at,
        sum(d.cost) filter (where d.status in ('dead', 'replaying') and d.verified) as cost
      from dead_letters d ${responsesBy(field)} where ${text} group by 1, 2)
    select value, ${field === 'customer' ? '(select c.name from customers c where c.id = value::int) as name,' : ''}
      sum(count)::int as count, max(last_dead_at) as last_dead_at,
      coalesce(jsonb_agg(jsonb_build_object('currency', currency, 'cost', trim_scale(cost)::text) order by currency)
        filter (where cost <> 0), '[]') as at_stake
    from part group by value order by count desc, value limit $${values.length + 2}::int`,
  );
  return await sql<DeadLetterGroup>(group, [...values, systemCurrency, limit ?? null]);
}
