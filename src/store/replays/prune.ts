import type { OldRows } from '../old-rows.ts';
import { statement } from '../sql.ts';
import { isInterrupted } from './claim.ts';

/** Each may have a hundred thousand letters. */
const REMOVED_AT_ONCE = 10;

/** Never one that a process is at work on, however short a time is asked for. */
const isOld = `coalesce(r.ended_at, r.alive_at, r.created_at) < $1
  and (r.state not in ('trying', 'running') or ${isInterrupted})`;

/** Replays and dry runs, by when they ended or their process was last heard of. */
export const oldReplays: OldRows = {
  atOnce: REMOVED_AT_ONCE,
  remove: statement(
    'replays.prune',
    `with old as materialized (select r.id from replays r where ${isOld} order by r.id limit ${REMOVED_AT_ONCE}),
    letters as (delete from replay_letters l using old where l.replay = old.id),
    gone as (delete from replays r using old where r.id = old.id returning r.id)
    select count(*)::int as count from gone`,
  ),
  count: statement('replays.count-prunable', `select count(*)::int as count from replays r where ${isOld}`),
};
