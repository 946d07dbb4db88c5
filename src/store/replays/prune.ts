import { type Sql, statement } from '../sql.ts';

/** Replays per transaction; each may have a hundred thousand letters. */
const PRUNED_AT_ONCE = 10;

const PRUNE = statement(
  'replays.prune',
  `with old as materialized (
    select id from replays where coalesce(ended_at, alive_at, created_at) < $1 order by id limit ${PRUNED_AT_ONCE}),
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
  'select count(*)::int as count from replays where coalesce(ended_at, alive_at, created_at) < $1',
);

/** How many `pruneReplays` would remove. */
export async function countPrunableReplays(sql: Sql, before: Date): Promise<number> {
  const [row] = await sql<{ count: number }>(COUNT, [before]);
  return row?.count ?? 0;
}
