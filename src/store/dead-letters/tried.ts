import { type DeadReason, deadReasonOf, isStored, type Outcome } from '../../domain/outcome.ts';
import { type Sql, statement } from '../sql.ts';
import { keyed } from './insert.ts';
import { isDone, type Proof } from './known.ts';

/** Identifies a row: there is one per reason and content. */
export interface DeadLetterKey {
  reason: DeadReason;
  /** `DeadLetter.digest`. */
  digest: string;
}

const MARK_TRIED = statement(
  'dead-letters.mark-tried',
  `
  update dead_letters set tried_at = now()
  where reason = $1 and digest = ${keyed('$2')} and tried_at is null returning id`,
);

/** Marks a dead letter as tried, to be called before it is. False if it was tried before: that may have crashed a worker. */
export async function markTried(sql: Sql, { reason, digest }: DeadLetterKey): Promise<boolean> {
  return (await sql(MARK_TRIED, [reason, digest])).length > 0;
}

const IS_RESOLVED = statement(
  'dead-letters.is-resolved',
  `select id from dead_letters where reason = $1 and digest = ${keyed('$2')} and status = 'resolved'
     and edits = '{}' and mended_body is null`,
);

/** Whether the call of a dead letter is stored with what its message says. */
export async function isResolved(sql: Sql, { reason, digest }: DeadLetterKey): Promise<boolean> {
  return (await sql(IS_RESOLVED, [reason, digest])).length > 0;
}

/** What was asked for, by what proves it. */
const OPERATION = `case when $4::text is null then 'create' else 'update' end`;

const RESOLVE_TRIED = statement(
  'dead-letters.resolve-tried',
  `
  with known as materialized (select ${isDone(OPERATION, { uniqueid: '$3::text', entry: '$4::text' })} as holds),
  resolved as (
    update dead_letters d set status = 'resolved', closed_at = now() from known
    where d.reason = $1 and d.digest = ${keyed('$2')} and d.status = 'dead' and known.holds
      and (d.operation = 'create') = ($4::text is null))
  select settle_assert(holds, 'the call of a dead letter is not stored') as held from known`,
);

/** Closes a dead letter that died again for another reason, with a reference to the dead letter of that reason, if any. */
const MERGE_TRIED = statement(
  'dead-letters.merge-tried',
  `
  with merged as (
    update dead_letters set status = 'discarded', closed_at = now(), closed_for_good = true
    where reason = $1 and digest = ${keyed('$2')} and status = 'dead' returning id, digest)
  insert into dead_letter_events (dead_letter, event, detail)
  select m.id, 'merged', jsonb_strip_nulls(jsonb_build_object('reason', $3::text, 'into',
    (select d.id from dead_letters d where d.reason = $3 and d.digest = m.digest)))
  from merged m returning id`,
);

/**
 * Closes a dead letter whose message was tried: resolved if its call is stored or its correction booked, else merged. Throws what the database
 * throws: CDR01 if the call is said to be stored and is not.
 */
export async function closeTried(
  sql: Sql,
  { reason, digest }: DeadLetterKey,
  outcome: Outcome,
  { uniqueid, entry }: Proof,
): Promise<void> {
  if (isStored(outcome)) await sql(RESOLVE_TRIED, [reason, digest, uniqueid, entry]);
  else await sql(MERGE_TRIED, [reason, digest, deadReasonOf(outcome, false) ?? outcome.kind]);
}

/** Closes a dead letter whose record its feed leaves out by now. */
export async function closeSkipped(sql: Sql, { reason, digest }: DeadLetterKey): Promise<void> {
  await sql(MERGE_TRIED, [reason, digest, 'skipped']);
}

const VERIFY = statement(
  'dead-letters.verify',
  `
  update dead_letters set verified = true
  where reason = $1 and digest = ${keyed('$2')} and not verified returning id`,
);

/** Records that the credentials of the sender were checked and valid. */
export async function verifyDeadLetter(sql: Sql, { reason, digest }: DeadLetterKey): Promise<void> {
  await sql(VERIFY, [reason, digest]);
}
