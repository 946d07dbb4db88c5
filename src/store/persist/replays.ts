import { billsOfCorrection } from '../../domain/correction-bill.ts';
import { deadLetterRow, type Held, type PersistResult } from '../../domain/held.ts';
import type { Outcome } from '../../domain/outcome.ts';
import { outcomeOnRecord } from '../../domain/record.ts';
import { asDecided, entryIdOf, type Replay, type Submission } from '../../domain/submission.ts';
import { mapPairs, pairs } from '../../pairs.ts';
import type { Database } from '../database.ts';
import { type ReplayResult, recordReplays } from '../dead-letters/record.ts';
import type { Sql } from '../sql.ts';
import { addStoredBills, type Duplicate } from './bills.ts';
import { readCorrectedCall } from './corrections-look-up.ts';
import { type PersistContext, persistUnlessHeld } from './persist.ts';
import { type ReplayClaim, readClaims } from './replay-claims.ts';

type ReplaySubmission = Submission & { replay: Replay };

/** Whether a batch needs `persistWithReplays`. */
export function hasReplays(submissions: readonly Submission[]): boolean {
  return submissions.some(({ replay }) => replay !== undefined);
}

/**
 * Persists a batch that holds replays of dead letters. The replays come first, in a transaction of their own: if what
 * comes after them fails, the whole batch is persisted again. A replay then gets the same answer as before, whereas
 * an ordinary refusal would count another death. Throws what the database throws.
 */
export async function persistWithReplays(
  { sql, transaction }: Pick<Database, 'sql' | 'transaction'>,
  submissions: readonly Submission[],
  context: PersistContext,
  timeoutMs: number,
): Promise<PersistResult[]> {
  const placed = submissions.map((submission, place) => ({ submission, place }));
  const replays = placed.filter(isReplay);
  const others = placed.filter((one) => !isReplay(one));
  const ofReplays = replays.map(({ submission }) => submission);
  const replayed = await transaction((within) => persistReplays(within, ofReplays, context), { timeoutMs });
  const ofOthers = others.map(({ submission }) => submission);
  const persisted = await persistUnlessHeld(sql, ofOthers, context);
  const outcomes: PersistResult[] = [];
  for (const [{ place }, outcome] of [...pairs(replays, replayed), ...pairs(others, persisted)])
    outcomes[place] = outcome;
  return outcomes;
}

interface Placed<Kind extends Submission> {
  submission: Kind;
  /** In the batch, from 0. */
  place: number;
}

function isReplay(one: Placed<Submission>): one is Placed<ReplaySubmission> {
  return one.submission.replay !== undefined;
}

/**
 * Persists replays within a transaction: finds their rows, unless that was done before, persists the calls, and writes into
 * each row what became of it. A row and its call change together or not at all.
 */
export async function persistReplays(
  sql: Sql,
  submissions: readonly ReplaySubmission[],
  context: PersistContext,
): Promise<PersistResult[]> {
  const { isHeld, lookup } = context;
  const replays = submissions.map(({ replay }) => replay);
  const claims = lookup?.claims ?? (await readClaims(sql, replays));
  const taken = new Set<string>();
  const plans = submissions.map(
    (submission): Plan =>
      isHeld(deadLetterRow(submission.replay.deadLetter)) ??
      planFor(submission, claims.get(submission.replay), taken),
  );
  const open = plans.filter((plan) => plan.kind === 'persist');
  const persisted = new Map<Plan, PersistResult>();
  const results = new Map<string, ReplayResult>();
  /** By the id of the row. */
  const held = new Map<string, Held>();
  for (const [plan, outcome] of pairs(open, await persistKept(sql, open, context))) {
    persisted.set(plan, outcome);
    if (plan.claim === undefined) continue;
    if (outcome.kind === 'held') held.set(plan.claim.id, outcome);
    else results.set(plan.claim.id, resultOf(plan.claim, plan.of, outcome));
  }
  await recordReplays(sql, [...results.values()]);
  const outcomes = plans.map((plan): PersistResult | undefined => {
    if (plan.kind === 'held') return plan;
    if (plan.kind === 'answer') return plan.outcome;
    if (plan.kind === 'again') return held.get(plan.of) ?? secondCopy(results.get(plan.of)?.outcome);
    return persisted.get(plan);
  });
  const answers = mapPairs(plans, outcomes, (_, outcome) => outcome);
  await tellSecondCopies(sql, submissions, answers);
  return answers;
}

/** Second copies of replays are told what their first is, and what was charged or moved then. */
async function tellSecondCopies(
  sql: Sql,
  submissions: readonly ReplaySubmission[],
  answers: readonly PersistResult[],
): Promise<void> {
  const ofCalls = new Map<Duplicate, string>();
  for (const [submission, answer] of pairs(submissions, answers)) {
    if (answer.kind !== 'duplicate' || answer.bill !== undefined) continue;
    const { correction } = submission.kind === 'call' ? { correction: undefined } : submission;
    if (correction !== undefined) {
      const { entries } = await readCorrectedCall(sql, correction);
      Object.assign(answer, billsOfCorrection(correction.id, entries));
    } else if (submission.uniqueid !== null) ofCalls.set(answer, submission.uniqueid);
  }
  await addStoredBills(sql, ofCalls);
}

/** The submissions as they were admitted learn what was looked up for them, whatever becomes of the statement that writes. */
async function persistKept(
  sql: Sql,
  plans: readonly OpenPlan[],
  context: PersistContext,
): Promise<PersistResult[]> {
  try {
    const submissions = plans.map(({ submission }) => submission);
    return await persistUnlessHeld(sql, submissions, context);
  } finally {
    for (const { submission, of } of plans) learn(of, submission);
  }
}

/** What has been looked up for a copy of a submission, which whoever asks next sees on the submission itself. */
export function learn(own: Submission, copy: Submission): void {
  if (own.kind === 'call' && copy.kind === 'call') own.call = { ...own.call, cdr: copy.call.cdr };
  if (own.kind === 'correction' && copy.kind === 'correction') {
    if (copy.moves !== undefined) own.moves = copy.moves;
    if (copy.isBehind) own.isBehind = true;
  }
}

function resultOf(
  { id, digest, replays, by }: ReplayClaim,
  submission: ReplaySubmission,
  outcome: Outcome,
): ReplayResult {
  const { uniqueid } = submission;
  return { id, digest, attempt: replays, uniqueid, entry: entryIdOf(submission), by, outcome };
}

interface OpenPlan {
  kind: 'persist';
  submission: Submission;
  /** The submission as it was admitted. */
  of: ReplaySubmission;
  claim: ReplayClaim | undefined;
}

type Plan =
  /** Its row is held by somebody. */
  | Held
  | OpenPlan
  | { kind: 'answer'; outcome: Outcome }
  /** The second copy of a message in one batch; `of` is its row. */
  | { kind: 'again'; of: string };

/** A one-time token lets its message in once; a second copy gets the answer of the first. */
function planFor(submission: ReplaySubmission, found: ReplayClaim | undefined, taken: Set<string>): Plan {
  if (found === undefined) {
    const forged: Outcome = { kind: 'unauthenticated' };
    return { kind: 'persist', submission: asDecided(forged, submission), of: submission, claim: undefined };
  }
  if (found.replays !== submission.replay.attempt) return { kind: 'answer', outcome: { kind: 'superseded' } };
  if (found.answer !== null) return { kind: 'answer', outcome: outcomeOnRecord(found.answer) };
  if (taken.has(found.id)) return { kind: 'again', of: found.id };
  taken.add(found.id);
  // The row itself is the dead letter.
  const kept = { ...submission, deadLetter: () => null };
  if (kept.kind === 'decided') return { kind: 'persist', submission: kept, of: submission, claim: found };
  // A name that nobody verified never becomes the sender of a stored call: the operator answers for it.
  const submittedBy = found.verified ? (found.submittedBy ?? '') : found.by;
  if (kept.kind === 'correction') {
    const correction = { ...kept.correction, bookedBy: found.by };
    return { kind: 'persist', submission: { ...kept, correction }, of: submission, claim: found };
  }
  const call = { ...kept.call, submittedBy, replayedBy: found.by };
  return { kind: 'persist', submission: { ...kept, call }, of: submission, claim: found };
}

function secondCopy(first: Outcome = { kind: 'superseded' }): Outcome {
  if (first.kind === 'booked') return { ...first, kind: 'duplicate' };
  return first.kind === 'accepted' ? { kind: 'duplicate' } : first;
}
