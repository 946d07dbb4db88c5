import { type Sql, statement } from '../sql.ts';
import { isInterrupted } from './claim.ts';

/** Replays per transaction; each may have a hundred thousand letters. */
const PRUNED_AT_ONCE = 10;

/** Never one that a process is at work on, however short a time is asked for. */
const isOld = `coalesce(r.ended_at, r.alive_at, r.created_at) < $1
  and (r.state not in ('trying', 'running') or ${isInterrupted})`;

const PRUNE = statement(
  'replays.prune',
  `with old as materialized (
    select r.id from replays r where ${isOld} order by r.id limit ${PRUNED_AT_ONCE}),
  letters as (delete from replay_letters l using old where l.replay = old.id),
  gone as (delete from replays r using old where r.id = old.id returning r.id)
  select count(*)::int as count from gone`,
);

/** Removes replays and dry runs that ended, or whose process was last heard of, before `before`. Returns how many. */
export async function pruneReplays(sql: Sql, before: Date): Promise<number> {
  for (let total = 0; ; ) {
    const [row] = await sql<{ count: number }>(PRUNE, [before]);
    const count = row?.count ?? 0;
    total += count;
    if (count < PRUNED_AT_ONCE) return total;
  }
}

const COUNT = statement(
  'replays.count-prunable',
  `select count(*)::int as count from replays r where ${isOld}`,
);

/** How many `pruneReplays` would remove. */
export async function countPrunableReplays(sql: Sql, before: Date): Promise<number> {
  const [row] = await sql<{ count: number }>(COUNT, [before]);
  return row?.count ?? 0;
}
