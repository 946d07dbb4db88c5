import type { Program } from '../../domain/activity.ts';
import { activityOf } from '../activity.ts';
import { type Sql, statement } from '../sql.ts';
import type { Run } from './create.ts';

/**
 * Seconds of silence after which the process of a replay is taken to have gone. It writes every second, and one that was
 * only held up for longer sends nothing once another has taken its place.
 */
export const SILENT_SECONDS = 10;

/** Whether nobody is at work on `replays r` although it says so. */
export const isInterrupted = `(r.state in ('trying', 'running')
  and r.alive_at < clock_timestamp() - make_interval(secs => ${SILENT_SECONDS}))`;

/** Not a number that others lock. */
const ADVISORY_LOCK = 72_707_373;
const LOCK = statement('replays.lock', `select pg_advisory_xact_lock(${ADVISORY_LOCK})::text as locked`);

/** Makes starts of replays follow one another until the transaction ends, so that none overlooks another. */
export async function lockStarts(sql: Sql): Promise<void> {
  await sql(LOCK, []);
}

/** A running replay that has letters of another one in hand, or will send them. */
export interface Overlap {
  id: string;
  operator: string;
  letters: number;
  /** When its process last wrote; as PostgreSQL prints it. */
  aliveAt: string;
}

const OVERLAP = statement(
  'replays.overlap',
  `select r.id::text as id, r.operator, r.alive_at::text as "aliveAt", count(*)::int as letters
   from replays r
   join replay_letters theirs on theirs.replay = r.id and theirs.skipped is null
   join replay_letters mine on mine.dead_letter = theirs.dead_letter and mine.replay = $1::bigint and mine.skipped is null
   join dead_letters d on d.id = theirs.dead_letter
   where r.state = 'running' and r.id <> $1::bigint and not ${isInterrupted}
     and (d.status = 'replaying' or d.status = 'dead' and d.replays = theirs.replays)
   group by r.id order by r.id limit 1`,
);

export async function readOverlap(sql: Sql, id: string): Promise<Overlap | undefined> {
  const [overlap] = await sql<Overlap>(OVERLAP, [id]);
  return overlap;
}

const IS_SILENT = statement(
  'replays.is-silent',
  `select r.state = 'running' and not ${isInterrupted} and r.alive_at = $2::text::timestamptz as "isSilent"
   from replays r where r.id = $1::bigint`,
);

/** Whether a running replay has not written since, and not been silent for so long that its process must have gone. */
export async function isSilentSince(sql: Sql, id: string, aliveAt: string): Promise<boolean> {
  const [row] = await sql<{ isSilent: boolean }>(IS_SILENT, [id, aliveAt]);
  return row?.isSilent === true;
}

/** Who starts or resumes a replay. */
export interface Claimant {
  operator: string;
  program: Program;
}

/** With the limits of `Limits` (dead-letters/pace.ts). */
export interface LimitedClaimant extends Claimant {
  rate: number | null;
  abortOver: number | null;
}

const started = (act: 'replay started' | 'replay resumed') =>
  activityOf(
    act,
    {
      who: 'operator',
      program: 'program',
      detail: `jsonb_strip_nulls(jsonb_build_object('replay', id, 'selected', selected, 'why', why))`,
    },
    'from claimed',
  );

/** How old a dry run may be that is replayed: much may have changed since. */
export const DRY_RUN_HOURS = 24;

const START = statement(
  'replays.start',
  `
with claimed as (
  update replays set state = 'running', operator = $3, program = $4, runner = $2::uuid, rate = $5::text::numeric,
    abort_over = $6::text::numeric, started_at = clock_timestamp(), alive_at = clock_timestamp(), ended_at = null
  where id = $1::bigint and state = 'tried' and ended_at > now() - make_interval(hours => ${DRY_RUN_HOURS}) returning *),
noted as (${started('replay started')})
select count(*)::int as count from claimed`,
);

/** Turns a dry run into a running replay of what it tried. False if it is none that may be replayed. */
export async function startTried(
  sql: Sql,
  { id, runner }: Run,
  { operator, program, rate, abortOver }: LimitedClaimant,
): Promise<boolean> {
  const limits = [rate?.toString() ?? null, abortOver?.toString() ?? null];
  const [row] = await sql<{ count: number }>(START, [id, runner, operator, program, ...limits]);
  return row?.count === 1;
}

const RESUME = statement(
  'replays.resume',
  `
with claimed as (
  update replays r set state = 'running', operator = $3, program = $4, runner = $2::uuid, alive_at = clock_timestamp(),
    rate = coalesce($5::text::numeric, r.rate), abort_over = coalesce($6::text::numeric, r.abort_over), ended_at = null,
    stop_by = null, problem = null
  where r.id = $1::bigint and r.started_at is not null and (r.state in ('stopped', 'failed') or ${isInterrupted})
  returning r.*),
noted as (${started('replay resumed')})
select count(*)::int as count from claimed`,
);

/**
 * Lets a replay that has ended early go on in this process, with limits in place of its own where they are given. False if it
 * is none that may be resumed.
 */
export async function claimAgain(
  sql: Sql,
  { id, runner }: Run,
  { operator, program, rate, abortOver }: LimitedClaimant,
): Promise<boolean> {
  const limits = [rate?.toString() ?? null, abortOver?.toString() ?? null];
  const [row] = await sql<{ count: number }>(RESUME, [id, runner, operator, program, ...limits]);
  return row?.count === 1;
}

const STOP = statement(
  'replays.stop',
  `
with stopped as (
  update replays r set stop_by = $2,
    state = case when not ${isInterrupted} then r.state when r.started_at is null then 'failed' else 'stopped' end,
    problem = case when ${isInterrupted} then 'stopped by ' || $2::text else r.problem end,
    ended_at = case when ${isInterrupted} then clock_timestamp() else r.ended_at end
  where r.id = $1::bigint and r.state in ('trying', 'running') and r.stop_by is null returning r.id),
noted as (${activityOf(
    'replay stopped',
    { who: '$2', program: '$3::text', detail: `jsonb_build_object('replay', id)` },
    'from stopped',
  )})
select count(*)::int as count from stopped`,
);

/**
 * Asks the process of a replay or a dry run, whichever it is, to stop; one whose process has gone is stopped at once.
 * False if it is not under way, or has been asked before.
 */
export async function askToStop(sql: Sql, id: string, by: string, program: Program): Promise<boolean> {
  const [row] = await sql<{ count: number }>(STOP, [id, by, program]);
  return row?.count === 1;
}
