import type { DeadReason } from '../../domain/outcome.ts';
import type { DeadLetterStatus } from '../../domain/record.ts';
import type { ResponseEntry } from '../../domain/reply.ts';
import { type Sql, type Statement, statement, unprepared } from '../sql.ts';
import { conditionOf, type DeadLetterFilter } from './filter.ts';

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
  edits: Record<string, string>;
  deaths: number;
  replays: number;
  first_dead_at: Date;
  last_dead_at: Date;
  closed_at: Date | null;
}

export const summaryColumns = `d.id::float8 as id, d.reason, d.status, d.uniqueid, d.scustomer, d.machine, d.source, d.submitted_by, d.verified, d.responses,
  trim_scale(d.cost)::text as cost, d.currency, d.body, d.altered, d.edits, d.deaths, d.replays, d.first_dead_at, d.last_dead_at,
  d.closed_at`;

/** Where a page of the list ended and the next one starts. */
export interface Cursor {
  /** As PostgreSQL prints it, to the microsecond: a JavaScript Date would lose three digits, and so skip rows. */
  at: string;
  id: number;
}

/** Latest death first. An index on (last_dead_at, id), alone or after is_open, reason or customer, returns a page without sorting. */
export function pageStatement(
  filter: DeadLetterFilter,
  limit: number,
  after?: Cursor,
): { page: Statement; values: unknown[] } {
  const { text, values } = conditionOf(filter);
  const [at, id] = [`$${values.length + 1}::timestamptz`, `$${values.length + 2}::bigint`];
  const below = after === undefined ? '' : `and (d.last_dead_at, d.id) < (${at}, ${id})`;
  return {
    page: unprepared(
      'dead-letters.page',
      `select ${summaryColumns}, d.last_dead_at::text as at from dead_letters d where ${text} ${below}
       order by d.last_dead_at desc, d.id desc limit ${limit}`,
    ),
    values: after === undefined ? values : [...values, after.at, after.id],
  };
}

/** One page of the list. `next` is undefined on the last one. */
export async function readPage(
  sql: Sql,
  filter: DeadLetterFilter,
  limit: number,
  after?: Cursor,
): Promise<{ deadLetters: DeadLetterSummary[]; next: Cursor | undefined }> {
  const { page, values } = pageStatement(filter, limit + 1, after);
  const rows = await sql<DeadLetterSummary & { at: string }>(page, values);
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const next = rows.length > limit && last !== undefined ? { at: last.at, id: last.id } : undefined;
  return { deadLetters: shown.map(({ at, ...deadLetter }) => deadLetter), next };
}

/** How many dead letters match. */
export async function countDeadLetters(sql: Sql, filter: DeadLetterFilter): Promise<number> {
  const { text, values } = conditionOf(filter);
  const count = unprepared(
    'dead-letters.count',
    `select count(*)::int as count from dead_letters d where ${text}`,
  );
  const [row] = await sql<{ count: number }>(count, values);
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
  count: number;
  last_dead_at: Date;
  /** Costs of the calls that are neither stored nor discarded, where they can be read and their sender is known. */
  at_stake: { currency: string; cost: string }[];
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
    select value, sum(count)::int as count, max(last_dead_at) as last_dead_at,
      coalesce(jsonb_agg(jsonb_build_object('currency', currency, 'cost', trim_scale(cost)::text) order by currency)
        filter (where cost <> 0), '[]') as at_stake
    from part group by value order by count desc, value limit $${values.length + 2}::int`,
  );
  return await sql<DeadLetterGroup>(group, [...values, systemCurrency, limit ?? null]);
}
