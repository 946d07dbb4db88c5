import type { DeadReason } from '../../domain/outcome.ts';
import type { DeadLetterStatus } from '../../domain/record.ts';
import type { ResponseEntry } from '../../domain/reply.ts';
import { type Sql, statement, unprepared } from '../sql.ts';
import type { ChosenLetter } from './create.ts';

/**
 * What has become of a letter in a replay. `gone`: pruned or deleted since. `taken over`: replayed again by someone else before
 * its result was known, or since.
 */
export type LetterResult =
  | 'skipped'
  | 'gone'
  | 'waiting'
  | 'taken over'
  | 'replaying'
  | 'resolved'
  | 'refused';

/**
 * The letters of the replay $1 and what has become of each. While a replay runs nothing is written for single letters,
 * which would cost it a third of its rate: their own rows and histories say it.
 */
const lettersOf = `
  select l.*, d.id as found, d.status, d.reason, d.replays as attempts, d.responses, d.verified, d.uniqueid as own_uniqueid,
    case when l.skipped is not null then 'skipped' when d.id is null then 'gone' when own.attempt is null then 'waiting'
      when own.attempt < d.replays then 'taken over' when d.status = 'replaying' then 'replaying'
      when d.status = 'resolved' then 'resolved' else 'refused' end as result
  from replay_letters l left join dead_letters d on d.id = l.dead_letter
  left join lateral (
    select max(e.attempt) as attempt from dead_letter_events e
    where e.dead_letter = l.dead_letter and e.event = 'replayed' and e.detail ->> 'replay' = l.replay::text) as own on true
  where l.replay = $1::bigint`;

const UNFINISHED = statement(
  'replays.unfinished',
  `with letter as (${lettersOf})
   select dead_letter::text as id, seen, case result when 'replaying' then attempts else replays end as replays
   from letter where result in ('waiting', 'replaying', 'gone') order by position`,
);

/** What a replay has still to send, in order: what was never sent, and what was sent and has no result. */
export async function readUnfinished(sql: Sql, id: string): Promise<ChosenLetter[]> {
  return await sql<ChosenLetter>(UNFINISHED, [id]);
}

/** A letter that a dry run will try. */
export interface LetterToTry extends ChosenLetter {
  uniqueid: string | null;
  /** Of what it keeps of its message. */
  bytes: number;
}

const TO_TRY = statement(
  'replays.to-try',
  `select l.dead_letter::text as id, l.replays, l.seen, coalesce(d.edits ->> 'uniqueid', d.uniqueid) as uniqueid,
     coalesce(octet_length(coalesce(d.mended_body, d.body)), 0) as bytes
   from replay_letters l left join dead_letters d on d.id = l.dead_letter
   where l.replay = $1::bigint order by l.position`,
);

/** What a dry run tries, in order, without the messages themselves: those may be too large to be read at once. */
export async function readToTry(sql: Sql, id: string): Promise<LetterToTry[]> {
  return await sql<LetterToTry>(TO_TRY, [id]);
}

/** The letters of a replay by what has become of them. */
export type ResultCounts = Partial<Record<LetterResult, number>>;

const COUNTS = statement(
  'replays.count-results',
  `with letter as (${lettersOf})
   select coalesce(jsonb_object_agg(result, count), '{}') as counts
   from (select result, count(*)::int as count from letter group by 1) as by_result`,
);

export async function countResults(sql: Sql, id: string): Promise<ResultCounts> {
  const [row] = await sql<{ counts: ResultCounts }>(COUNTS, [id]);
  return row?.counts ?? {};
}

const LEFT_OPEN = statement(
  'replays.left-open',
  `select exists (select from replay_letters l join dead_letters d on d.id = l.dead_letter
   where l.replay = $1::bigint and l.skipped is not null and d.is_open) as "leftOpen"`,
);

/** Whether something that a replay left out still waits for an operator. */
export async function hasLeftOpen(sql: Sql, id: string): Promise<boolean> {
  const [row] = await sql<{ leftOpen: boolean }>(LEFT_OPEN, [id]);
  return row?.leftOpen === true;
}

const CODES = statement(
  'replays.codes',
  `with letter as (${lettersOf})
   select case result when 'resolved' then '204' else coalesce(responses -> 0 ->> 'code', '') end as code, count(*)::int as count
   from letter where result in ('resolved', 'refused') group by 1`,
);

/** The finished letters of a replay by the code of their reply. */
export async function readCodes(sql: Sql, id: string): Promise<Record<string, number>> {
  const rows = await sql<{ code: string; count: number }>(CODES, [id]);
  return Object.fromEntries(rows.map(({ code, count }) => [code, count]));
}

/** A letter of a replay or a dry run, by column. */
export interface ReplayLetter {
  id: string;
  position: number;
  /** Null if its dead letter was pruned since. */
  reason: DeadReason | null;
  status: DeadLetterStatus | null;
  verified: boolean | null;
  uniqueid: string | null;
  result: LetterResult;
  /** Why it is left out. */
  skipped: string | null;
  /**
   * Of a dry run: the outcome, the code of the reply, and the reply. Of a replay without one null, null and the reply
   * by now; of one that was refused again, the reply to the replay.
   */
  becomes: string | null;
  code: string | null;
  responses: ResponseEntry[];
  charged: string | null;
  currency: string | null;
  customer: number | null;
  customer_name: string | null;
  invoice: number | null;
  /** It asks to be put on an invoice, and none would take it. */
  uninvoiced: boolean;
}

/** Which letters of a replay are read. The last two are about its dry run. */
const ONLY = {
  skipped: `letter.result = 'skipped'`,
  waiting: `letter.result in ('waiting', 'replaying')`,
  'taken over': `letter.result = 'taken over'`,
  resolved: `letter.result = 'resolved'`,
  refused: `letter.result = 'refused'`,
  tried: `letter.becomes is not null`,
  'would stay dead': `letter.code <> '204'`,
  uninvoiced: `letter.uninvoiced`,
} as const;
export type LettersOnly = keyof typeof ONLY;
export const lettersOnly = Object.keys(ONLY) as LettersOnly[];

/**
 * A page of the letters of a replay, in their order.
 *
 * @param after the position of the last letter of the page before
 */
export async function readReplayLetters(
  sql: Sql,
  id: string,
  { limit, after = 0, only }: { limit: number; after?: number; only?: LettersOnly | undefined },
): Promise<ReplayLetter[]> {
  const read = unprepared(
    'replays.letters',
    `with letter as (${lettersOf} and l.position > $2::int)
     select dead_letter::text as id, position, reason, status, verified, coalesce(uniqueid, own_uniqueid) as uniqueid, result,
       skipped, becomes, code,
       coalesce(case result when 'refused' then responses else answer::jsonb end, responses, '[]') as responses, trim_scale(letter.charged)::text as charged,
       letter.currency, customer, c.name as customer_name, invoice, uninvoiced
     from letter left join customers c on c.id = letter.customer
     where ${only === undefined ? 'true' : ONLY[only]} order by position limit $3::int`,
  );
  return await sql<ReplayLetter>(read, [id, after, limit]);
}
