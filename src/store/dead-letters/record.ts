import { codeOf, deadReasonOf, isFirst, isStored, type Outcome } from '../../domain/outcome.ts';
import { responsesTo } from '../../domain/reply.ts';
import { type Sql, statement } from '../sql.ts';
import { answerKeyOf } from './insert.ts';
import { isDone } from './known.ts';

/** The result of one replay. */
export interface ReplayResult {
  id: string;
  /** Of the body as received, hex. Together with a reason it identifies a row. */
  digest: string;
  attempt: number;
  /** Of the call, as it would be stored. */
  uniqueid: string | null;
  /** Of a correction: its entry, as it would be booked. */
  entry: string | null;
  /** The operator. */
  by: string;
  outcome: Outcome;
}

const isEveryRowMoved = `
  settle_assert((select count(*) from moved) = (select count(*) from result), 'another worker persisted a replay')`;

/**
 * Rows whose call is stored, and their history, in one statement: what becomes of almost all. A row is resolved only if its
 * call is found among the stored or pruned ones, whatever the worker believes. `is_open` is written with the rest, so that
 * its trigger need not.
 */
const RESOLVE = statement(
  'persist.resolve-replays',
  `
with result as materialized (
  select * from unnest($1::bigint[], $2::int[], $3::text[], $4::boolean[], $5::text[], $6::text[])
    as r(id, attempt, by, stored, uniqueid, entry)),
moved as (
  update dead_letters d set status = 'resolved', is_open = false, closed_at = now(), closed_for_good = false
  from result r where d.id = r.id and d.replays = r.attempt and d.status = 'replaying'
  returning d.id, d.operation),
told as (
  insert into dead_letter_events (dead_letter, event, by, attempt, detail)
  select id, 'resolved', by, attempt, jsonb_build_object('code', '204', 'stored', stored) from result)
select ${isEveryRowMoved}
  and settle_assert(not exists (select from result r join moved m using (id) where not
    ${isDone('m.operation', { uniqueid: 'r.uniqueid', entry: 'r.entry' })}),
    'the call of a replay is not stored') as held`,
);

/**
 * Rows whose call is refused again, and their history, in one statement. There is one row per reason and content, so if
 * another row has the new reason for the same content already, that one counts the death, and this one is discarded as
 * merged into it. The list of ids is for the planner, as in mark.ts.
 */
const RECORD = statement(
  'persist.record-replays',
  `
with result as materialized (
  select r.*, own.verified, other.id as other
  from unnest($2::bigint[]) as given(id)
  join json_to_recordset($1::json) as r(id bigint, digest text, attempt int, by text, reason text, code text,
    responses jsonb, answer_key text, differences jsonb, error text) using (id)
  join dead_letters own on own.id = r.id
  left join lateral (
    select d.id from dead_letters d where d.reason = r.reason and d.digest = decode(r.digest, 'hex') and d.id <> r.id
    limit 1) as other on true),
merged as (
  update dead_letters d set deaths = d.deaths + 1, verified = d.verified or r.verified, last_dead_at = now(), responses = r.responses,
    answer_key = r.answer_key, differences = r.differences, error = r.error,
    status = case d.status when 'resolved' then 'dead' else d.status end,
    closed_at = case d.status when 'resolved' then null else d.closed_at end
  from result r where d.id = r.other),
moved as (
  update dead_letters d set
    status = case when r.other is null then 'dead' else 'discarded' end,
    closed_at = case when r.other is not null then now() end,
    closed_for_good = r.other is not null,
    reason = case when r.other is null then r.reason else d.reason end,
    responses = r.responses, answer_key = r.answer_key, differences = r.differences, error = r.error,
    deaths = d.deaths + 1, last_dead_at = now()
  from result r where d.id = r.id and d.replays = r.attempt and d.status = 'replaying'
  returning d.id),
told as (
  insert into dead_letter_events (dead_letter, event, by, attempt, detail)
  select id, case when other is null then 'died' else 'merged' end, by, attempt,
  jsonb_strip_nulls(jsonb_build_object('code', code, 'stored', false, 'reason', reason, 'into', other, 'responses', responses))
  from result)
select ${isEveryRowMoved} as held`,
);

/**
 * Records the results of replays. Throws what the database throws: CDR01 if a row has changed since it was read, because
 * another worker had the same message or the dead letter was replayed again.
 */
export async function recordReplays(sql: Sql, results: readonly ReplayResult[]): Promise<void> {
  for (let open = results; open.length > 0; ) {
    const { first, rest } = distinct(open);
    const resolved = first.filter(({ outcome }) => isStored(outcome));
    const refused = first.filter(({ outcome }) => !isStored(outcome));
    if (resolved.length > 0) await sql(RESOLVE, columnsOf(resolved));
    if (refused.length > 0)
      await sql(RECORD, [JSON.stringify(refused.map(rowOf)), refused.map(({ id }) => id)]);
    open = rest;
  }
}

function columnsOf(results: readonly ReplayResult[]): unknown[] {
  return [
    results.map(({ id }) => id),
    results.map(({ attempt }) => attempt),
    results.map(({ by }) => by),
    results.map(({ outcome }) => isFirst(outcome)),
    results.map(({ uniqueid }) => uniqueid),
    results.map(({ entry }) => entry),
  ];
}

/** Rows of the same content may merge, so the second must see the result of the first. */
function distinct(results: readonly ReplayResult[]): { first: ReplayResult[]; rest: ReplayResult[] } {
  const digests = new Set<string>();
  const first: ReplayResult[] = [];
  const rest: ReplayResult[] = [];
  for (const result of results) {
    (digests.has(result.digest) ? rest : first).push(result);
    digests.add(result.digest);
  }
  return { first, rest };
}

/** The columns that a refusal changes. Only a stored call resolves its row: after any other answer the row stays open. */
function rowOf({ id, attempt, by, digest, outcome }: ReplayResult) {
  const responses = responsesTo(outcome);
  const reason = deadReasonOf(outcome, false) ?? 'failed';
  return {
    id,
    attempt,
    by,
    code: codeOf(outcome),
    reason,
    digest,
    responses,
    answer_key: answerKeyOf(responses),
    differences: outcome.kind === 'conflict' ? outcome.differences : null,
    error:
      outcome.kind === 'failed' ? outcome.error : reason === 'failed' ? 'was answered, not stored' : null,
  };
}
