import type { Act, Program } from '../domain/activity.ts';
import type { OldRows } from './old-rows.ts';
import { type Sql, statement, unprepared } from './sql.ts';

/** One thing that somebody did. */
export interface Activity {
  id: string;
  at: Date;
  /** The user; null where nobody signed in, as for `cdr-ingest user`. */
  who: string | null;
  act: Act;
  program: Program;
  /** What it was done to, counts, why. */
  detail: Record<string, unknown>;
}

/**
 * The SQL that records an act, for a common table expression of the statement that does it: so both are kept, or neither
 * is. `who`, `program` and `detail` are SQL.
 *
 * @param when what follows `select …`: a FROM or a condition under which there is anything to record
 */
export function activityOf(
  act: Act,
  { who, program, detail }: { who: string; program: string; detail: string },
  when: string,
): string {
  return `insert into activity (who, act, program, detail) select ${who}, '${act}', ${program}, ${detail} ${when}`;
}

const RECORD = statement(
  'activity.record',
  `insert into activity (who, act, program, detail) values ($1, $2, $3, $4::jsonb) returning id`,
);

/** Records an act by itself, where the statement that does it cannot. */
export async function recordActivity(sql: Sql, activity: Omit<Activity, 'id' | 'at'>): Promise<void> {
  const { who, act, program, detail } = activity;
  await sql(RECORD, [who, act, program, JSON.stringify(detail)]);
}

/** All parts that are given must match. */
export interface ActivityFilter {
  who?: string;
  acts?: readonly Act[];
  /** `since` inclusive, `until` exclusive. */
  since?: Date;
  until?: Date;
}

const CONDITIONS: readonly [keyof ActivityFilter, (place: string) => string][] = [
  ['who', (p) => `who = ${p}`],
  ['acts', (p) => `act = any(${p}::text[])`],
  ['since', (p) => `at >= ${p}::timestamptz`],
  ['until', (p) => `at < ${p}::timestamptz`],
];

/**
 * What was done, the latest first.
 *
 * @param before the id of the last one of the page before
 */
export async function readActivity(
  sql: Sql,
  { limit, before, ...filter }: ActivityFilter & { limit: number; before?: string | undefined },
): Promise<Activity[]> {
  const given = CONDITIONS.filter(([name]) => filter[name] !== undefined);
  const conditions = given.map(([, write], index) => `and ${write(`$${index + 3}`)}`);
  const read = unprepared(
    'activity.read',
    `select id::text as id, at, who, act, program, detail from activity
     where ($1::bigint is null or id < $1::bigint) ${conditions.join(' ')} order by activity.id desc limit $2::int`,
  );
  return await sql<Activity>(read, [before ?? null, limit, ...given.map(([name]) => filter[name])]);
}

const REMOVED_AT_ONCE = 5000;

/** What was done, to be removed when it is old. */
export const oldActivity: OldRows = {
  atOnce: REMOVED_AT_ONCE,
  remove: statement(
    'activity.prune',
    `with old as materialized (select id from activity where at < $1 order by at limit ${REMOVED_AT_ONCE}),
    gone as (delete from activity a using old where a.id = old.id returning a.id)
    select count(*)::int as count from gone`,
  ),
  count: statement('activity.count-prunable', 'select count(*)::int as count from activity where at < $1'),
};
