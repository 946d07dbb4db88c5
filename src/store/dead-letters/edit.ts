import { type Sql, statement, unprepared } from '../sql.ts';
import { conditionOf, type DeadLetterFilter } from './filter.ts';

/** A correction of one row: all its edits, and what the history says about this correction. */
export interface Correction {
  id: string;
  edits: Record<string, string>;
  /** As read: a row that someone else has corrected since is not changed. */
  before: Record<string, string>;
  /** {"scustomer": {"from": 999, "to": "1"}} */
  changes: Record<string, { from: unknown; to: string }>;
}

const CORRECT = statement(
  'dead-letters.correct',
  `
with wanted as materialized (
  select * from json_to_recordset($1::json) as w(id bigint, edits jsonb, before jsonb, changes jsonb)),
locked as materialized (
  select d.id, w.edits, w.changes from dead_letters d join wanted w using (id)
  where d.status in ('dead', 'replaying') and d.edits = w.before order by d.id for update of d),
corrected as (
  update dead_letters d set edits = l.edits from locked l where d.id = l.id returning d.id, l.changes)
insert into dead_letter_events (dead_letter, event, by, why, detail)
select id, 'edited', $2, $3, jsonb_build_object('set', changes) from corrected returning dead_letter::text as id`,
);

/** Corrects open dead letters; the body stays unchanged. Returns the ids of the rows that were still as read. */
export async function correctDeadLetters(
  sql: Sql,
  corrections: readonly Correction[],
  by: string,
  why: string | null,
): Promise<Set<string>> {
  const rows = await sql<{ id: string }>(CORRECT, [JSON.stringify(corrections), by, why]);
  return new Set(rows.map(({ id }) => id));
}

/** Discards the selected dead letters whose status is `dead`. Returns how many. */
export async function discardDeadLetters(
  sql: Sql,
  filter: DeadLetterFilter,
  by: string,
  why: string | null,
): Promise<number> {
  const { text, values } = conditionOf(filter);
  const place = values.length;
  const discard = unprepared(
    'dead-letters.discard',
    `with locked as materialized (
      select d.id from dead_letters d where ${text} and d.status = 'dead' order by d.id for update),
    discarded as (
      update dead_letters d set status = 'discarded', closed_at = now() from locked l where d.id = l.id returning d.id),
    told as (
      insert into dead_letter_events (dead_letter, event, by, why)
      select id, 'discarded', $${place + 1}, $${place + 2} from discarded returning id)
    select count(*)::int as count from told`,
  );
  const [row] = await sql<{ count: number }>(discard, [...values, by, why]);
  return row?.count ?? 0;
}

/** Rows per transaction, so that locks are short. */
const PRUNED_AT_ONCE = 5000;

const PRUNE = statement(
  'dead-letters.prune',
  `with old as materialized (
    select id from dead_letters where status in ('resolved', 'discarded') and coalesce(closed_at, last_dead_at) < $1
    order by id limit ${PRUNED_AT_ONCE} for update skip locked),
  history as (delete from dead_letter_events e using old where e.dead_letter = old.id),
  gone as (delete from dead_letters d using old where d.id = old.id returning d.id)
  select count(*)::int as count from gone`,
);

/** Removes resolved and discarded dead letters that were closed before `before`, with their history. Returns how many. */
export async function pruneDeadLetters(sql: Sql, before: Date): Promise<number> {
  for (let total = 0; ; ) {
    const [row] = await sql<{ count: number }>(PRUNE, [before]);
    const count = row?.count ?? 0;
    total += count;
    if (count < PRUNED_AT_ONCE) return total;
  }
}

const COUNT_PRUNABLE = statement(
  'dead-letters.count-prunable',
  `select count(*)::int as count from dead_letters
   where status in ('resolved', 'discarded') and coalesce(closed_at, last_dead_at) < $1`,
);

/** How many `pruneDeadLetters` would remove. */
export async function countPrunable(sql: Sql, before: Date): Promise<number> {
  const [row] = await sql<{ count: number }>(COUNT_PRUNABLE, [before]);
  return row?.count ?? 0;
}
