import { type Held, type HeldBy, letterRow, nothingHeld, type Settled } from '../../domain/held.ts';
import type { Outcome } from '../../domain/outcome.ts';
import { type AnswerOnRecord, outcomeOnRecord } from '../../domain/record.ts';
import type { Replay, Submission } from '../../domain/submission.ts';
import type { PrismaClient } from '../generated/client.ts';
import type { Known } from './read.ts';
import { type ReplayResult, record } from '../dead-letters/record.ts';
import { settleUnheld } from './persist.ts';
import { listed, type Sql, sqlOf } from '../sql.ts';

type ReplaySubmission = Submission & { replay: Replay };

/**
 * `settle` for batches that may hold replays of dead letters. These come first: what fails after them is settled
 * again as a whole, and a replay that is settled already answers the same again, which an ordinary refusal does
 * not (it would count another death). Throws what the database throws.
 */
export async function settleAll(
  prisma: PrismaClient,
  entries: readonly Submission[],
  systemCurrency: string,
  timeoutMs: number,
  isHeld: HeldBy = nothingHeld,
  known?: Known,
): Promise<Settled[]> {
  const { replays, others } = parted(entries);
  if (replays.length === 0) return await settleUnheld(sqlOf(prisma), entries, systemCurrency, isHeld, known);
  const ofReplays = await prisma.$transaction(
    (transaction) => settleReplays(sqlOf(transaction), replays, systemCurrency, isHeld),
    { timeout: timeoutMs, maxWait: timeoutMs },
  );
  const ofOthers =
    others.length === 0 ? [] : await settleUnheld(sqlOf(prisma), others, systemCurrency, isHeld);
  return inOrder(entries, ofReplays, ofOthers);
}

/** The same within one transaction. */
export async function settleWithin(
  sql: Sql,
  entries: readonly Submission[],
  systemCurrency: string,
  isHeld: HeldBy,
): Promise<Settled[]> {
  const { replays, others } = parted(entries);
  const ofReplays = replays.length === 0 ? [] : await settleReplays(sql, replays, systemCurrency, isHeld);
  return inOrder(entries, ofReplays, await settleUnheld(sql, others, systemCurrency, isHeld));
}

function parted(entries: readonly Submission[]) {
  const replays = entries.filter((entry): entry is ReplaySubmission => entry.replay !== undefined);
  return { replays, others: replays.length === 0 ? entries : entries.filter(({ replay }) => !replay) };
}

function inOrder(
  entries: readonly Submission[],
  ofReplays: readonly Settled[],
  ofOthers: readonly Settled[],
): Settled[] {
  const [replayed, ordinary] = [ofReplays.values(), ofOthers.values()];
  return entries.flatMap(({ replay }) => (replay ? replayed : ordinary).next().value ?? []);
}

/**
 * Settles replays within a transaction: claims their rows, settles the calls, and writes into each row what became
 * of it. A row and its call change together or not at all.
 */
export async function settleReplays(
  sql: Sql,
  entries: readonly ReplaySubmission[],
  systemCurrency: string,
  isHeld: HeldBy = nothingHeld,
): Promise<Settled[]> {
  const claims = await claim(sql, entries);
  const taken = new Set<string>();
  const plans = entries.map(
    (entry, index): Plan =>
      isHeld(letterRow(entry.replay.letter)) ?? planFor(entry, claims.get(index), taken),
  );
  const open = plans.flatMap((plan) => (plan.kind === 'settle' ? [plan.submission] : []));
  const settled = (await settleUnheld(sql, open, systemCurrency, isHeld)).values();
  const results = new Map<string, ReplayResult>();
  /** By the id of the row. */
  const held = new Map<string, Held>();
  const outcomes = plans.flatMap((plan): Settled | [] => {
    if (plan.kind === 'held') return plan;
    if (plan.kind === 'answer') return plan.outcome;
    if (plan.kind === 'again') return held.get(plan.of) ?? secondCopy(results.get(plan.of)?.outcome);
    const outcome = settled.next().value;
    if (outcome === undefined) return [];
    if (outcome.kind === 'held') {
      if (plan.claim !== undefined) held.set(plan.claim.id, outcome);
      return outcome;
    }
    if (plan.claim !== undefined) results.set(plan.claim.id, resultOf(plan.claim, outcome));
    return outcome;
  });
  await record(sql, [...results.values()]);
  return outcomes;
}

function resultOf({ id, digest, replays, by }: Claim, outcome: Outcome): ReplayResult {
  return { id, digest, attempt: replays, by, outcome };
}

interface Claim {
  id: string;
  digest: string;
  /** The latest attempt. */
  replays: number;
  submittedBy: string | null;
  /** Whether that is known, or only what the message said. */
  verified: boolean;
  /** The operator. */
  by: string;
  /** Null while it is on its way. */
  answer: AnswerOnRecord | null;
}

type Plan =
  /** Its row is held by somebody. */
  | Held
  | { kind: 'settle'; submission: Submission; claim: Claim | undefined }
  | { kind: 'answer'; outcome: Outcome }
  /** The second copy of a message in one batch; `of` is its row. */
  | { kind: 'again'; of: string };

/** A ticket lets its message in once; whoever comes with it again is told what became of the first. */
function planFor(entry: ReplaySubmission, found: Claim | undefined, taken: Set<string>): Plan {
  const { verdict, letter, replay } = entry;
  if (found === undefined) {
    const forged: Outcome = { kind: 'unauthenticated' };
    const submission: Submission = {
      verdict: { kind: 'answer', outcome: forged, validationOnly: false },
      letter,
    };
    return { kind: 'settle', submission, claim: undefined };
  }
  if (found.replays !== replay.attempt) return { kind: 'answer', outcome: { kind: 'superseded' } };
  if (found.answer !== null) return { kind: 'answer', outcome: outcomeOnRecord(found.answer) };
  if (taken.has(found.id)) return { kind: 'again', of: found.id };
  taken.add(found.id);
  // The row itself is the letter.
  const kept = () => null;
  if (verdict.kind === 'answer')
    return { kind: 'settle', submission: { verdict, letter: kept }, claim: found };
  // A name that nobody verified never becomes the sender of a stored call: the operator answers for it.
  const submittedBy = found.verified ? (found.submittedBy ?? '') : found.by;
  const call = { ...verdict.call, submittedBy, replayedBy: found.by };
  return { kind: 'settle', submission: { verdict: { kind: 'call', call }, letter: kept }, claim: found };
}

function secondCopy(first: Outcome = { kind: 'superseded' }): Outcome {
  return first.kind === 'accepted' ? { kind: 'duplicate' } : first;
}

/**
 * The rows whose tickets are genuine. By primary key: the few events of each row, and the row. Nothing is locked:
 * whether each row is still as it is here is asserted where it is written. One text: many values of many rows would cost
 * the worker more than reading JSON.
 */
const CLAIM = `
select coalesce(json_agg(claim), '[]')::text as claims from (
  select t.position - 1 as position, d.id::text as id, d.replays, d.submitted_by as "submittedBy", d.verified,
    encode(d.digest, 'hex') as digest, e.by, case when d.status <> 'replaying' then json_build_object('status', d.status,
      'reason', d.reason, 'responses', d.responses, 'differences', d.differences, 'error', d.error) end as answer
  from unnest(string_to_array($1, ',')::bigint[], string_to_array($2, ',')::int[], string_to_array($3, ','))
    with ordinality as t(letter, attempt, seal, position)
  cross join lateral (
    select by from dead_letter_events where dead_letter = t.letter and attempt = t.attempt and event = 'replayed'
      and seal = decode(t.seal, 'hex') limit 1) as e
  join dead_letters d on d.id = t.letter) as claim`;

async function claim(sql: Sql, entries: readonly ReplaySubmission[]): Promise<Map<number, Claim>> {
  const replays = entries.map(({ replay }) => replay);
  const tickets = [
    listed(replays.map(({ letter }) => letter)),
    listed(replays.map(({ attempt }) => attempt)),
    listed(replays.map(({ seal }) => seal)),
  ];
  const [row] = await sql<{ claims: string }>(CLAIM, tickets);
  const claims = JSON.parse(row?.claims ?? '[]') as (Claim & { position: number })[];
  return new Map(claims.map((claim) => [claim.position, claim]));
}
