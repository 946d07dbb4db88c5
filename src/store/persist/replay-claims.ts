import type { AnswerOnRecord } from '../../domain/record.ts';
import type { Replay } from '../../domain/submission.ts';
import { type Sql, statement } from '../sql.ts';

/** The JSON that CLAIM builds. Not checked for each batch: a test checks it (test/integration/json-shapes.test.ts). */
export interface ReplayClaim {
  /** Of the replay, from 0. */
  position: number;
  id: string;
  digest: string;
  /** The latest attempt. */
  replays: number;
  submittedBy: string | null;
  /** Whether its credentials were checked; else `submittedBy` is only what the message claims. */
  verified: boolean;
  /** The operator. */
  by: string;
  /** Null while the replay is under way. */
  answer: AnswerOnRecord | null;
}

/** The dead letters of replays; a replay whose token is wrong has none. */
export type Claims = ReadonlyMap<Replay, ReplayClaim>;

/**
 * The dead letters whose one-time tokens are right. By primary key: the few events of each, and its row. Nothing is locked:
 * whether each row is still as it is here is asserted where it is written. One text: many values of many rows would cost
 * the worker more than reading JSON.
 */
const CLAIM = statement(
  'persist.claim-replays',
  `
select coalesce(json_agg(claim), '[]')::text as claims from (
  select t.position - 1 as position, d.id::text as id, d.replays, d.submitted_by as "submittedBy", d.verified,
    encode(d.digest, 'hex') as digest, e.by, case when d.status <> 'replaying' then json_build_object('status', d.status,
      'reason', d.reason, 'responses', d.responses, 'differences', d.differences, 'error', d.error) end as answer
  from unnest($1::bigint[], $2::int[], $3::text[])
    with ordinality as t(dead_letter, attempt, token_hash, position)
  cross join lateral (
    select by from dead_letter_events where dead_letter = t.dead_letter and attempt = t.attempt and event = 'replayed'
      and seal = decode(t.token_hash, 'hex') limit 1) as e
  join dead_letters d on d.id = t.dead_letter) as claim`,
);

/** Finds the dead letters of replays. Throws what the database throws. */
export async function readClaims(sql: Sql, replays: readonly Replay[]): Promise<Claims> {
  const [row] = await sql<{ claims: string }>(CLAIM, [
    replays.map(({ deadLetter }) => deadLetter),
    replays.map(({ attempt }) => attempt),
    replays.map(({ tokenHash }) => tokenHash),
  ]);
  const claims = JSON.parse(row?.claims ?? '[]') as ReplayClaim[];
  const found = new Map<Replay, ReplayClaim>();
  for (const claim of claims) {
    const replay = replays[claim.position];
    if (replay !== undefined) found.set(replay, claim);
  }
  return found;
}
