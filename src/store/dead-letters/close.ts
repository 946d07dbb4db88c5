import type { Act, Program } from '../../domain/activity.ts';
import type { DeadLetterStatus } from '../../domain/record.ts';
import { activityOf } from '../activity.ts';
import { type Sql, unprepared } from '../sql.ts';
import { fingerprintOf, rowMark } from './consequences.ts';
import { conditionOf, type DeadLetterFilter } from './filter.ts';

/** Who discards or reopens, why, and where from. */
export interface Closing {
  by: string;
  why: string | null;
  program: Program;
  /** `Consequences.fingerprint` of what was shown before; without it there was nothing to look at. */
  expected?: string | undefined;
}

/**
 * - `done`: `at` is the `closed_at` of all that were discarded, to the microsecond, so that exactly these can be reopened.
 *   The activity has it as well.
 * - `changed`: the dead letters are not those that were shown, and nothing was done.
 */
export type Closed = { kind: 'done'; count: number; at: string } | { kind: 'changed' };

/** The time of the statement, of fixed form whatever the time zone of the session. */
const NOW = `to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** What can be discarded of a selection: the dead ones. For `readConsequences`, so that it shows what will be done. */
export function discardable(filter: DeadLetterFilter): DeadLetterFilter {
  return { ...filter, statuses: within(filter.statuses, 'dead') };
}

/** What can be reopened of a selection: the discarded ones that were not merged into others. */
export function reopenable(filter: DeadLetterFilter): DeadLetterFilter {
  return { ...filter, statuses: within(filter.statuses, 'discarded'), mayReopen: true };
}

function within(statuses: readonly DeadLetterStatus[] | undefined, status: DeadLetterStatus) {
  return statuses === undefined || statuses.includes(status) ? [status] : [];
}

/**
 * Discards what can be discarded of a selection. Throws what the database throws.
 *
 * @param forGood not even its switch opens it again by sending the call once more
 */
export async function discardDeadLetters(
  sql: Sql,
  filter: DeadLetterFilter,
  { forGood = false, ...closing }: Closing & { forGood?: boolean },
): Promise<Closed> {
  const change = `status = 'discarded', closed_at = now(), closed_for_good = ${forGood}`;
  return await close(sql, discardable(filter), { ...closing, act: 'discarded', change, forGood });
}

/** Undoes discarding: what can be reopened of a selection is dead again. Throws what the database throws. */
export async function reopenDeadLetters(
  sql: Sql,
  filter: DeadLetterFilter,
  closing: Closing,
): Promise<Closed> {
  const change = `status = 'dead', closed_at = null, closed_for_good = false`;
  return await close(sql, reopenable(filter), { ...closing, act: 'reopened', change, forGood: false });
}

interface Change extends Closing {
  act: Extract<Act, 'discarded' | 'reopened'>;
  /** The SET of the update. */
  change: string;
  forGood: boolean;
}

/** In one statement: locks the rows, looks whether they are those that were shown, changes them, and records it. */
async function close(sql: Sql, filter: DeadLetterFilter, change: Change): Promise<Closed> {
  const { text, values } = conditionOf(filter);
  const place = (offset: number) => `$${values.length + offset}::text`;
  const detail = `${place(5)}::jsonb || jsonb_strip_nulls(jsonb_build_object('count', count(*), 'why', ${place(2)},
    'dead_letter', case count(*) when 1 then min(id) end${change.act === 'discarded' ? `, 'closed_at', ${NOW}` : ''}))`;
  const statement = unprepared(
    `dead-letters.${change.act === 'discarded' ? 'discard' : 'reopen'}`,
    `with locked as materialized (
      select d.id, ${rowMark} as mark from dead_letters d where ${text} order by d.id for update of d),
    shown as materialized (select ${place(4)} is null or ${fingerprintOf} = ${place(4)} as holds from locked),
    changed as (
      update dead_letters d set ${change.change} from locked l, shown where d.id = l.id and shown.holds returning d.id),
    told as (
      insert into dead_letter_events (dead_letter, event, by, why, detail)
      select id, '${change.act}', ${place(1)}, ${place(2)}, ${change.forGood ? `'{"for_good": true}'` : `'{}'`} from changed
      returning id),
    noted as (${activityOf(change.act, { who: place(1), program: place(3), detail }, 'from changed having count(*) > 0')})
    select (select holds from shown) as holds, (select count(*)::int from told) as count,
      ${NOW} as at`,
  );
  const noted = { ...shownFilter(filter), ...(change.forGood && { for_good: true }) };
  const [row] = await sql<{ holds: boolean; count: number; at: string }>(statement, [
    ...values,
    change.by,
    change.why,
    change.program,
    change.expected ?? null,
    JSON.stringify(noted),
  ]);
  return row?.holds === true ? { kind: 'done', count: row.count, at: row.at } : { kind: 'changed' };
}

/** A selection as the activity keeps it: without ids, which may be thousands, and without what every such act has. */
function shownFilter({ ids, statuses, mayReopen, closedAt, ...filter }: DeadLetterFilter) {
  return Object.keys(filter).length === 0 ? {} : { filter };
}
