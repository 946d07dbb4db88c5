import type { Program } from '../../domain/activity.ts';
import { activityOf } from '../activity.ts';
import { type Sql, statement } from '../sql.ts';

/** A dead letter as it was when it was selected. */
export interface ChosenLetter {
  id: string;
  /** Attempts by then. */
  replays: number;
  /** `seenNow` by then. */
  seen: string;
}

/** Stands for the corrections of `dead_letters d`: with others it is not the letter that somebody looked at. */
export const seenNow = `md5(d.edits::text || coalesce(d.mended_body, ''))`;

/** The process that runs a replay or a dry run. It may write on until another one has taken its place. */
export interface Run {
  /** Of the replay. */
  id: string;
  /** A UUID. */
  runner: string;
}

/** A replay or a dry run as it is asked for. */
export interface NewReplay {
  program: Program;
  operator: string;
  why: string | null;
  /** The selection, for people. */
  filter: object;
  correction: object;
  rate: number | null;
  abortOver: number | null;
}

/** The activity of a replay or a dry run, by the state in which it begins. */
const asked = (act: 'dry run' | 'replay started', state: 'trying' | 'running') =>
  activityOf(
    act,
    {
      who: 'operator',
      program: 'program',
      detail: `jsonb_strip_nulls(jsonb_build_object('replay', id, 'selected', selected, 'why', why,
        'filter', nullif(filter, '{}'), 'correction', nullif(correction, '{}')))`,
    },
    `from created where state = '${state}'`,
  );

const CREATE = statement(
  'replays.create',
  `
with created as (
  insert into replays (state, program, operator, why, filter, correction, rate, abort_over, selected, runner, alive_at, started_at)
  values ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7::text::numeric, $8::text::numeric, $9, $10::uuid, clock_timestamp(),
    case $1::text when 'running' then clock_timestamp() end)
  returning *),
noted as (${asked('dry run', 'trying')}),
started as (${asked('replay started', 'running')})
select id::text as id from created`,
);

const CHOOSE = statement(
  'replays.choose',
  `insert into replay_letters (replay, dead_letter, position, replays, seen)
   select $1::bigint, c.id, $2::int + c.place, c.replays, c.seen
   from unnest($3::bigint[], $4::int[], $5::text[]) with ordinality as c(id, replays, seen, place)`,
);

/** Letters that one statement writes. */
const CHOSEN_AT_ONCE = 10_000;

/** Writes a replay that runs, or a dry run, and its frozen set; within a transaction. Returns its id. */
export async function createReplay(
  sql: Sql,
  { program, operator, why, filter, correction, rate, abortOver }: NewReplay,
  letters: readonly ChosenLetter[],
  state: 'trying' | 'running',
  runner: string,
): Promise<string> {
  const [created] = await sql<{ id: string }>(CREATE, [
    ...[state, program, operator, why, JSON.stringify(filter), JSON.stringify(correction)],
    ...[rate?.toString() ?? null, abortOver?.toString() ?? null, letters.length, runner],
  ]);
  if (created === undefined) throw new Error('a replay was not written');
  for (let from = 0; from < letters.length; from += CHOSEN_AT_ONCE) {
    const chosen = letters.slice(from, from + CHOSEN_AT_ONCE);
    await sql(CHOOSE, [
      created.id,
      from,
      chosen.map(({ id }) => id),
      chosen.map(({ replays }) => replays),
      chosen.map(({ seen }) => seen),
    ]);
  }
  return created.id;
}
