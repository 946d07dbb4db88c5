import * as z from 'zod';
import type { Edits } from '../../domain/kept.ts';
import type { Operation } from '../../domain/operation.ts';
import type { DeadReason } from '../../domain/outcome.ts';
import type { DeadLetterStatus } from '../../domain/record.ts';
import { type ChosenLetter, type Run, seenNow } from '../replays/create.ts';
import { type Sql, statement, unprepared } from '../sql.ts';
import { conditionOf, type DeadLetterFilter } from './filter.ts';

/** What a replay needs of a row. */
export interface Replayable {
  id: string;
  reason: DeadReason;
  status: DeadLetterStatus;
  uniqueid: string | null;
  scustomer: number | null;
  /** The feed that it came by; null for a call of the contract. */
  source: string | null;
  /** What its message asked for. */
  operation: Operation;
  body: string;
  /** The text with which an operator replaced the body; null if it stands as it came. */
  mendedBody: string | null;
  /** What was masked or cut besides the password: parameter names, '' for the body as a whole. */
  altered: string[];
  properties: {
    contentType?: string | null;
    replyTo?: string | null;
    correlationId?: string | null;
    messageId?: string | null;
    routingKey?: string;
    traceparent?: string;
  };
  edits: Edits;
  submittedBy: string | null;
  verified: boolean;
  replays: number;
  /** `seenNow`: whether it is still as it was selected. */
  seen: string;
}

/** The selected dead letters as they are now, oldest death first. Frozen: what dies later is not among them. */
export async function selectLetters(
  sql: Sql,
  filter: DeadLetterFilter,
  limit: number | null,
): Promise<ChosenLetter[]> {
  const { text, values } = conditionOf(filter);
  const select = unprepared(
    'dead-letters.select',
    `select d.id::text as id, d.replays, ${seenNow} as seen from dead_letters d where ${text}
     order by d.last_dead_at, d.id limit $${values.length + 1}::int`,
  );
  return await sql<ChosenLetter>(select, [...values, limit]);
}

const READ_REPLAYABLE = statement(
  'dead-letters.read-replayable',
  `select d.id::text as id, d.reason, d.status, d.uniqueid, d.scustomer, d.source, d.operation, d.body,
     d.mended_body as "mendedBody", d.altered, d.verified, d.properties, d.edits,
     d.submitted_by as "submittedBy", d.replays, ${seenNow} as seen
   from unnest($1::bigint[]) as wanted(id) join dead_letters d using (id)`,
);

export async function readReplayable(sql: Sql, ids: readonly string[]): Promise<Replayable[]> {
  const rows = await sql<Replayable>(READ_REPLAYABLE, [ids]);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

/** A row about to be replayed. */
export interface Mark {
  id: string;
  /** As read: a row that has changed since is not marked. */
  replays: number;
  edits: Edits;
  mendedBody: string | null;
  status: DeadLetterStatus;
  /** Hex. */
  tokenHash: string;
}

/**
 * The list of ids repeats those in the JSON, for the planner: it estimates ten rows for a list and uses the primary key,
 * whereas for JSON it may scan the whole table; and a plan made while the table is small is kept.
 */
const MARK = statement(
  'dead-letters.mark-replaying',
  `
with own as materialized (
  select id, operator, why from replays where id = $3::bigint and runner = $4::uuid and state = 'running' and stop_by is null),
wanted as materialized (
  select w.* from unnest($2::bigint[]) as given(id)
  join json_to_recordset($1::json) as w(id bigint, replays int, edits jsonb, "mendedBody" text, status text,
    "tokenHash" text) using (id)),
marked as (
  update dead_letters d set status = 'replaying', replays = d.replays + 1, closed_at = null
  from wanted w
  where d.id = w.id and d.status = w.status and d.replays = w.replays and d.edits = w.edits
    and d.mended_body is not distinct from w."mendedBody" and exists (select from own)
  returning d.id, d.replays, d.reason, d.responses, w."tokenHash" as token_hash),
told as (
  insert into dead_letter_events (dead_letter, event, by, why, attempt, seal, detail)
  select m.id, 'replayed', own.operator, own.why, m.replays, decode(m.token_hash, 'hex'),
    jsonb_build_object('reason', m.reason, 'responses', m.responses, 'replay', own.id)
  from marked m, own returning dead_letter)
select exists (select from own) as "isOwn", array(select dead_letter::text from told) as ids`,
);

/**
 * Marks rows `replaying` with a new attempt and its token hash, to be called before anything is sent. Returns the ids
 * of the rows that were still as read; null, with nothing marked, if this process may not go on with the replay: somebody
 * has asked it to stop, or another process has taken it over.
 */
export async function markReplaying(
  sql: Sql,
  { id, runner }: Run,
  marks: readonly Mark[],
): Promise<Set<string> | null> {
  const ids = marks.map((mark) => mark.id);
  const [row] = await sql<{ isOwn: boolean; ids: string[] }>(MARK, [JSON.stringify(marks), ids, id, runner]);
  return row?.isOwn === true ? new Set(row.ids) : null;
}

const finishedAttempts = z.array(
  z.object({
    /** `dead`: refused again. `taken over`: a newer attempt replaced it, or somebody deleted its row by SQL. */
    result: z.enum(['resolved', 'dead', 'taken over']),
    /** Of the reply. */
    code: z.string(),
    count: z.number(),
  }),
);
/** How many attempts ended alike. */
export type FinishedAttempts = z.infer<typeof finishedAttempts>[number];

/** What has become of attempts. */
export interface SeenAttempts {
  finished: FinishedAttempts[];
  /** The ids of those that workers have still to finish. */
  unfinished: string[];
}

/** By primary key. Finished rows are counted rather than listed: there are many, and they are alike. */
const FINISHED = statement(
  'dead-letters.finished',
  `
with seen as materialized (
  select a.id,
    case when d.replays is distinct from a.attempt then 'taken over' when d.status = 'resolved' then 'resolved'
      when d.status <> 'replaying' then 'dead' end as result,
    case when d.status = 'resolved' then '204' else coalesce(d.responses -> 0 ->> 'code', '') end as code
  from unnest($1::bigint[], $2::int[]) as a(id, attempt) left join dead_letters d using (id)),
counted as (select result, code, count(*)::int as count from seen where result is not null group by result, code)
select (select coalesce(json_agg(counted), '[]') from counted)::text as finished,
  array(select id::text from seen where result is null) as unfinished`,
);

/** What has become of attempts by now. Throws what the database throws. */
export async function readFinished(
  sql: Sql,
  attempts: readonly { id: string; attempt: number }[],
): Promise<SeenAttempts> {
  const [row] = await sql<{ finished: string; unfinished: string[] }>(FINISHED, [
    attempts.map(({ id }) => id),
    attempts.map(({ attempt }) => attempt),
  ]);
  const { finished = '[]', unfinished = [] } = row ?? {};
  return { finished: finishedAttempts.parse(JSON.parse(finished)), unfinished };
}
