import type { Program } from '../../domain/activity.ts';
import type { Edits } from '../../domain/kept.ts';
import { activityOf } from '../activity.ts';
import { type Sql, statement } from '../sql.ts';

/** A correction of one row: all its edits, and what the history says about this correction. */
export interface RowCorrection {
  id: string;
  edits: Edits;
  /** As read: a row that someone else has corrected since is not changed. */
  before: Edits;
  /** The same of its mended body. */
  bodyBefore: string | null;
  /** {"scustomer": {"from": 999, "to": "1"}}; `to` is null for one that is taken out. */
  changes: Record<string, { from: unknown; to: string | null }>;
  /** The text that replaces its body; missing if that stays as it is. */
  body?: string;
}

const CORRECT = statement(
  'dead-letters.correct',
  `
with wanted as materialized (
  select * from json_to_recordset($1::json) as w(id bigint, edits jsonb, before jsonb, "bodyBefore" text,
    changes jsonb, body text)),
locked as materialized (
  select d.id, w.edits, w.changes, w.body from dead_letters d join wanted w using (id)
  where d.status in ('dead', 'replaying') and d.edits = w.before
    and d.mended_body is not distinct from w."bodyBefore" order by d.id for update of d),
corrected as (
  update dead_letters d set edits = l.edits, mended_body = coalesce(l.body, d.mended_body) from locked l where d.id = l.id
  returning d.id, l.changes, l.body),
noted as (${activityOf(
    'corrected',
    {
      who: '$2',
      program: '$4::text',
      detail: `jsonb_strip_nulls(jsonb_build_object('count', count(*), 'why', $3::text,
        'dead_letter', case count(*) when 1 then min(id) end,
        'parameters', (select jsonb_agg(distinct name) from corrected c, jsonb_object_keys(c.changes) as name),
        'body', case when count(body) > 0 then true end))`,
    },
    'from corrected having count(*) > 0 and $4::text is not null',
  )})
insert into dead_letter_events (dead_letter, event, by, why, detail)
select id, 'edited', $2, $3, jsonb_build_object('set', changes)
  || case when body is null then '{}' else jsonb_build_object('body', body) end
from corrected returning dead_letter::text as id`,
);

/** Who corrects, and where from. Of a replay, which has its own place in the activity, `program` is null. */
export interface Corrector {
  by: string;
  why: string | null;
  program: Program | null;
}

/**
 * Corrects open dead letters; what came stays as it is in `body`. Returns the ids of the rows that were still as read.
 */
export async function correctDeadLetters(
  sql: Sql,
  corrections: readonly RowCorrection[],
  { by, why, program }: Corrector,
): Promise<Set<string>> {
  const rows = await sql<{ id: string }>(CORRECT, [JSON.stringify(corrections), by, why, program]);
  return new Set(rows.map(({ id }) => id));
}
