import { searchKeysOf } from '../../domain/dead-letter.ts';
import { keptFields } from '../../domain/kept.ts';
import { type Sql, statement } from '../sql.ts';
import { insertKeysOf } from './insert.ts';

/** Rows per transaction, so that locks are short; their bodies, of 256 KiB at most as a rule, are in memory at once. */
const FILLED_AT_ONCE = 100;

interface Unfilled {
  id: string;
  uniqueid: string | null;
  source: string | null;
  body: string;
}

const UNFILLED = statement(
  'dead-letters.unfilled',
  `select id::text as id, uniqueid, source, body from dead_letters where search_keys is null and id > $1::bigint
   order by id limit ${FILLED_AT_ONCE}`,
);

/** What was merged before there was a column for it is told by its history. Rows that somebody has locked are left out. */
const FILL = statement(
  'dead-letters.fill',
  `
  with given as materialized (select * from json_to_recordset($1::json) as g(id bigint, keys text[])),
  locked as materialized (
    select d.id, g.keys from dead_letters d join given g using (id) where d.search_keys is null
    order by d.id for update of d skip locked),
  filled as (
    update dead_letters d set search_keys = l.keys, answer_key = coalesce(d.responses -> 0 ->> 'key', ''),
      closed_for_good = d.closed_for_good or d.status = 'discarded' and coalesce((select e.event = 'merged'
        from dead_letter_events e where e.dead_letter = d.id and e.event in ('discarded', 'merged')
        order by e.id desc limit 1), false)
    from locked l where d.id = l.id returning d.id, d.search_keys),
  found_by as (${insertKeysOf('filled')})
  select count(*)::int as count from filled`,
);

const HAS_UNFILLED = statement(
  'dead-letters.has-unfilled',
  'select exists (select from dead_letters where search_keys is null) as found',
);

/** Whether a version before has kept dead letters that are found by uniqueid only. Throws what the database throws. */
export async function hasUnfilled(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ found: boolean }>(HAS_UNFILLED, []);
  return row?.found ?? false;
}

/**
 * Gives dead letters of versions before what lists search and group them by. Returns how many. May be stopped at any point,
 * repeated, and run twice at a time. Until then they are found by uniqueid only. Throws what the database throws.
 */
export async function fillDeadLetters(sql: Sql): Promise<number> {
  let filled = 0;
  for (let last = '0'; ; ) {
    const rows = await sql<Unfilled>(UNFILLED, [last]);
    const given = rows.map(({ id, ...row }) => ({ id, keys: keysOf(row) }));
    if (given.length > 0) {
      const [row] = await sql<{ count: number }>(FILL, [JSON.stringify(given)]);
      filled += row?.count ?? 0;
    }
    last = rows.at(-1)?.id ?? last;
    if (rows.length < FILLED_AT_ONCE) return filled;
  }
}

/** A record of a feed is not mapped here: it is found by the uniqueid that was read when it died. */
function keysOf({ uniqueid, source, body }: Omit<Unfilled, 'id'>): string[] {
  const fields = source === null ? keptFields(body) : null;
  return searchKeysOf(fields ?? { uniqueid });
}
