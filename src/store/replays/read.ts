import type { Program } from '../../domain/activity.ts';
import type { ReplayState } from '../../domain/replay-state.ts';
import { type Sql, statement } from '../sql.ts';
import { DRY_RUN_HOURS, isInterrupted } from './claim.ts';
import { countResults } from './letters.ts';

/** A replay, or a dry run that has not been replayed, by column. */
export interface ReplayRow {
  id: string;
  kind: 'dry run' | 'replay';
  /** `interrupted`: its process has gone without a word. */
  state: ReplayState | 'interrupted';
  program: Program;
  operator: string;
  why: string | null;
  filter: Record<string, unknown>;
  correction: Record<string, unknown>;
  rate: number | null;
  abort_over: number | null;
  selected: number;
  tried: number;
  sent: number;
  resolved: number;
  refused: number;
  taken_over: number;
  skipped: number;
  problem: string | null;
  created_at: Date;
  started_at: Date | null;
  alive_at: Date | null;
  ended_at: Date | null;
  stop_by: string | null;
  /** Whether it may be resumed as a replay. */
  resumable: boolean;
  /** Of a dry run: whether it may be replayed. */
  startable: boolean;
}

const COLUMNS = `r.id::text as id, case when r.started_at is null then 'dry run' else 'replay' end as kind,
  case when ${isInterrupted} then 'interrupted' else r.state end as state, r.program, r.operator, r.why, r.filter,
  r.correction, r.rate::float8 as rate, r.abort_over::float8 as abort_over, r.selected, r.tried, r.sent, r.resolved, r.refused,
  r.taken_over, r.skipped, r.problem, r.created_at, r.started_at, r.alive_at, r.ended_at, r.stop_by,
  r.started_at is not null and (r.state in ('stopped', 'failed') or ${isInterrupted}) as resumable,
  r.state = 'tried' and r.ended_at > now() - make_interval(hours => ${DRY_RUN_HOURS}) as startable`;

const ONE = statement('replays.read-one', `select ${COLUMNS} from replays r where r.id = $1::bigint`);

/** Undefined if there is none. */
export async function readReplayRow(sql: Sql, id: string): Promise<ReplayRow | undefined> {
  const [row] = await sql<ReplayRow>(ONE, [id]);
  return row;
}

/**
 * The same for people: of a replay whose process has gone, the numbers are not those that it wrote last, since workers finish
 * what it had sent.
 */
export async function readReplay(sql: Sql, id: string): Promise<ReplayRow | undefined> {
  const row = await readReplayRow(sql, id);
  if (row?.kind !== 'replay' || (row.state !== 'interrupted' && row.state !== 'failed')) return row;
  const counts = await countResults(sql, id);
  const { resolved = 0, refused = 0, skipped = 0, replaying = 0, 'taken over': taken_over = 0 } = counts;
  return {
    ...row,
    sent: resolved + refused + taken_over + replaying,
    resolved,
    refused,
    taken_over,
    skipped,
  };
}

const LIST = statement(
  'replays.list',
  `select ${COLUMNS} from replays r where ($1::bigint is null or r.id < $1::bigint) order by r.id desc limit $2::int`,
);

/**
 * Replays and dry runs of commands and consoles, the latest first.
 *
 * @param before the id of the last one of the page before
 */
export async function readReplays(
  sql: Sql,
  { limit, before }: { limit: number; before?: string | undefined },
): Promise<ReplayRow[]> {
  return await sql<ReplayRow>(LIST, [before ?? null, limit]);
}
