import type { ReplayState } from '../../domain/replay-state.ts';
import { activityOf } from '../activity.ts';
import { type Sql, statement } from '../sql.ts';
import { type Run, seenNow } from './create.ts';

/** What the row of a replay counts. */
export interface ReplayCounts {
  /** Of a dry run: letters tried by now. */
  tried: number;
  sent: number;
  resolved: number;
  refused: number;
  takenOver: number;
  skipped: number;
}

const COUNTS = `alive_at = clock_timestamp(), tried = $3, sent = $4, resolved = $5, refused = $6, taken_over = $7, skipped = $8`;
/** Whoever has taken over a replay has another runner. */
const IS_OWN = `id = $1::bigint and runner = $2::uuid and state in ('trying', 'running')`;

function countValues({ id, runner }: Run, counts: ReplayCounts): unknown[] {
  const { tried, sent, resolved, refused, takenOver, skipped } = counts;
  return [id, runner, tried, sent, resolved, refused, takenOver, skipped];
}

const BEAT = statement(
  'replays.beat',
  `update replays set ${COUNTS} where ${IS_OWN} returning stop_by as "stopBy"`,
);

/** Says that the process of a replay is alive, and how far it is. `stopBy`: who asked it to stop. `lost`: it is not its own any more. */
export async function beat(
  sql: Sql,
  run: Run,
  counts: ReplayCounts,
): Promise<{ lost: boolean; stopBy: string | null }> {
  const [row] = await sql<{ stopBy: string | null }>(BEAT, countValues(run, counts));
  return { lost: row === undefined, stopBy: row?.stopBy ?? null };
}

const END = statement(
  'replays.end',
  `
with ended as (
  update replays set ${COUNTS}, state = $9, problem = coalesce($10, 'stopped by ' || stop_by), ended_at = clock_timestamp() where ${IS_OWN} returning *),
noted as (${activityOf(
    'replay ended',
    {
      who: 'operator',
      program: 'program',
      detail: `jsonb_strip_nulls(jsonb_build_object('replay', id, 'state', state, 'problem', problem, 'selected', selected,
        'resolved', resolved, 'refused', refused, 'skipped', skipped))`,
    },
    'from ended where started_at is not null',
  )})
select count(*)::int as count from ended`,
);

/** Ends a replay or a dry run; without a problem, whoever asked it to stop is one. False if another process has taken it over. */
export async function endReplay(
  sql: Sql,
  run: Run,
  counts: ReplayCounts,
  state: Exclude<ReplayState, 'trying' | 'running'>,
  problem: string | null,
): Promise<boolean> {
  const [row] = await sql<{ count: number }>(END, [...countValues(run, counts), state, problem]);
  return row?.count === 1;
}

const SKIP = statement(
  'replays.skip',
  `update replay_letters l set skipped = s.why
   from unnest($2::bigint[], $3::text[]) as s(id, why) where l.replay = $1::bigint and l.dead_letter = s.id`,
);

/** Writes down why letters are left out. */
export async function skipLetters(
  sql: Sql,
  id: string,
  skipped: readonly { id: string; why: string }[],
): Promise<void> {
  if (skipped.length === 0) return;
  await sql(SKIP, [id, skipped.map((letter) => letter.id), skipped.map(({ why }) => why)]);
}

const SEE = statement(
  'replays.see',
  `update replay_letters l set seen = ${seenNow} from dead_letters d
   where l.replay = $1::bigint and l.dead_letter = any($2::bigint[]) and d.id = l.dead_letter`,
);

/** To be called with the corrections that a replay makes itself: resumed, it finds its letters as it left them. */
export async function seeCorrected(sql: Sql, id: string, letters: readonly string[]): Promise<void> {
  await sql(SEE, [id, letters]);
}

/** What a dry run makes of a letter, by column. */
export interface TriedLetter {
  id: string;
  uniqueid: string | null;
  becomes: string;
  code: string;
  /** The reply as JSON. */
  answer: string;
  charged: string | null;
  currency: string | null;
  customer: number | null;
  invoice: number | null;
  uninvoiced: boolean;
  /** What its invoice would gain; of an uninvoiced call its cost and taxes. */
  billed: string | null;
  billed_currency: string | null;
}

const TRIED_COLUMNS =
  'uniqueid text, becomes text, code text, answer text, charged numeric, currency text, customer int, invoice int, uninvoiced boolean, billed numeric, billed_currency text';

const TRY = statement(
  'replays.record-tried',
  `update replay_letters l set uniqueid = t.uniqueid, becomes = t.becomes, code = t.code, answer = t.answer,
     charged = t.charged, currency = t.currency, customer = t.customer, invoice = t.invoice, uninvoiced = t.uninvoiced,
     billed = t.billed, billed_currency = t.billed_currency
   from json_to_recordset($2::json) as t(id bigint, ${TRIED_COLUMNS})
   where l.replay = $1::bigint and l.dead_letter = t.id`,
);

/** Writes down what a dry run made of some letters. */
export async function recordTried(sql: Sql, id: string, letters: readonly TriedLetter[]): Promise<void> {
  await sql(TRY, [id, JSON.stringify(letters)]);
}
