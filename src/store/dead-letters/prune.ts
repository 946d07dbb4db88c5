import type { OldRows } from '../old-rows.ts';
import { statement } from '../sql.ts';

const REMOVED_AT_ONCE = 5000;

/** Resolved and discarded dead letters, by when they were closed; they go with their history. */
export const oldDeadLetters: OldRows = {
  atOnce: REMOVED_AT_ONCE,
  remove: statement(
    'dead-letters.prune',
    `with old as materialized (
      select id, search_keys from dead_letters where status in ('resolved', 'discarded') and coalesce(closed_at, last_dead_at) < $1
      order by id limit ${REMOVED_AT_ONCE} for update skip locked),
    history as (delete from dead_letter_events e using old where e.dead_letter = old.id),
    keys as (delete from dead_letter_keys k using old, unnest(old.search_keys) as own
      where k.key = own and k.dead_letter = old.id),
    gone as (delete from dead_letters d using old where d.id = old.id returning d.id)
    select count(*)::int as count from gone`,
  ),
  count: statement(
    'dead-letters.count-prunable',
    `select count(*)::int as count from dead_letters
     where status in ('resolved', 'discarded') and coalesce(closed_at, last_dead_at) < $1`,
  ),
};
