import type { Cdr } from '../../domain/cdr.ts';
import type { BillingRules, References } from '../../domain/charge.ts';
import { type Call, type CallOnRecord, compare, type Decision, decide } from '../../domain/decide.ts';
import {
  type Held,
  type HeldBy,
  heldFor,
  messagesLike,
  nothingHeld,
  type PersistResult,
} from '../../domain/held.ts';
import type { Outcome } from '../../domain/outcome.ts';
import { resolve } from '../../domain/resolve.ts';
import type {
  CallSubmission,
  CorrectionSubmission,
  DecidedSubmission,
  Submission,
} from '../../domain/submission.ts';
import { answersInOrder, mapPairs, pairs } from '../../pairs.ts';
import { DeadLetterRows } from '../dead-letters/insert.ts';
import { NotPersisted } from '../failures.ts';
import type { Sql } from '../sql.ts';
import { addBills } from './bills.ts';
import { readStoredCalls } from './columns.ts';
import { persistCorrection } from './corrections.ts';
import { inTurn } from './corrections-in-turn.ts';
import { type Lookup, lookUp } from './look-up.ts';
import { type Charged, termsOf } from './terms.ts';
import { write } from './write.ts';

/**
 * Persists a batch: every call is stored once and charged once, every refusal is kept as a dead letter. Two statements do
 * it: one looks up what the calls refer to, one writes everything, atomic by itself. Returns the outcomes in the order of the
 * submissions. Throws what the database throws, and NotPersisted where it leaves out what it was given; then nothing of the
 * statement that failed has happened, and persisting the same submissions again is safe.
 *
 * @param lookup what their calls refer to, where it has been looked up before
 */
export async function persist(
  sql: Sql,
  submissions: readonly Submission[],
  billing: BillingRules,
  lookup?: Lookup,
): Promise<Outcome[]> {
  const persisted = await persistUnlessHeld(sql, submissions, {
    billing,
    isHeld: nothingHeld,
    lookup,
  });
  return persisted.map((outcome) => {
    if (outcome.kind === 'held') throw new NotPersisted(outcome.why);
    return outcome;
  });
}

/** What a batch is persisted with. */
export interface PersistContext {
  billing: BillingRules;
  isHeld: HeldBy;
  /** What its calls refer to, where that has been looked up before. */
  lookup?: Lookup | undefined;
}

/**
 * Rounds that a call may need: another worker stored its uniqueid, or it differs from one of this very batch, or both.
 * If more are needed, the database claims to have stored a call and has not.
 */
const ROUNDS = 5;

/**
 * The same, but leaves held calls alone: they are not touched, nor is what came after them with the same uniqueid. The
 * corrections of the batch follow its calls, each in a statement of its own.
 */
export function persistUnlessHeld(
  sql: Sql,
  submissions: readonly Submission[],
  context: PersistContext,
): Promise<PersistResult[]> {
  return submissions.some(isCorrection)
    ? persistWithCorrections(sql, submissions, context)
    : persistCalls(sql, submissions, context);
}

async function persistWithCorrections(
  sql: Sql,
  submissions: readonly Submission[],
  context: PersistContext,
): Promise<PersistResult[]> {
  const corrections = submissions.filter(isCorrection);
  const others = submissions.filter((submission) => !isCorrection(submission));
  const persisted = await persistCalls(sql, others, context);
  const corrected = await inTurn(corrections, (submission) => persistCorrection(sql, submission, context));
  const results = new Map<Submission, PersistResult>([
    ...pairs(others, persisted),
    ...pairs(corrections, corrected),
  ]);
  return answersInOrder(submissions, results);
}

async function persistCalls(
  sql: Sql,
  submissions: readonly Submission[],
  context: PersistContext,
): Promise<PersistResult[]> {
  const outcomes = await persistOnce(sql, submissions, context);
  if (outcomes.size < submissions.length) await persistOpen(sql, submissions, context, outcomes);
  return answersInOrder(submissions, outcomes);
}

/** Persists what the first round has left open, and adds its outcomes. */
async function persistOpen(
  sql: Sql,
  submissions: readonly Submission[],
  context: PersistContext,
  outcomes: Map<Submission, PersistResult>,
): Promise<void> {
  // What was looked up before is out of date after the first round.
  const anew = { ...context, lookup: undefined };
  for (let round = 1; outcomes.size < submissions.length; round += 1) {
    const open = submissions.filter((submission) => !outcomes.has(submission));
    if (round === ROUNDS) for (const submission of open) outcomes.set(submission, notStored(submission));
    else
      for (const [submission, outcome] of await persistOnce(sql, open, anew))
        outcomes.set(submission, outcome);
  }
}

/** A trigger on cdrs, or row security, says nothing and stores nothing. */
function notStored(submission: Submission): Held {
  return {
    kind: 'held',
    cause: 'message',
    row: messagesLike(submission),
    why: 'the database silently dropped rows it was given',
  };
}

/**
 * Decides, writes, and returns an outcome of every submission but two kinds, which are left to the next round, to be
 * decided against what is stored by then: calls whose uniqueid another worker stored meanwhile, and calls that differ from
 * one of this very batch.
 */
async function persistOnce(
  sql: Sql,
  submissions: readonly Submission[],
  { isHeld, ...known }: PersistContext,
): Promise<Map<Submission, PersistResult>> {
  const outcomes = new Map<Submission, PersistResult>();
  const calls = submissions.filter(isCall);
  const decidedBefore = submissions.filter(isDecided);
  const charged: Charged[] = [];
  const deadLetters = new DeadLetterRows();
  const decided = new Map<CallSubmission, Outcome>();
  /** By uniqueid: what comes later with it is decided when its first is. */
  const held = new Map<string, Held>();

  const { decisions, references } = await decideOn(sql, calls, known);
  for (const { submission, decision } of decisions) {
    const { call } = submission;
    const before = held.get(call.cdr.uniqueid) ?? heldNow(call.cdr, decision, isHeld);
    if (before !== undefined) {
      held.set(call.cdr.uniqueid, before);
      outcomes.set(submission, before);
      continue;
    }
    if (decision.kind === 'compare') continue;
    const outcome = outcomeOf(call, decision, charged);
    decided.set(submission, outcome);
    deadLetters.add(outcome, call.validationOnly, submission.deadLetter);
  }
  for (const { outcome, validationOnly, deadLetter } of decidedBefore)
    deadLetters.add(outcome, validationOnly, deadLetter);

  const nothing = charged.length === 0 && deadLetters.rows.length === 0;
  const storedByOthers = nothing
    ? new Set<string>()
    : await write(sql, charged, termsOf(charged, references), deadLetters, known.billing.openStatuses);
  for (const [submission, outcome] of decided)
    if (!storedByOthers.has(submission.call.cdr.uniqueid)) outcomes.set(submission, outcome);
  for (const submission of decidedBefore) outcomes.set(submission, submission.outcome);
  return outcomes;
}

/** What a decision comes to when the batch is written; notes what is to be stored then. */
function outcomeOf(
  call: Call,
  decision: Exclude<Decision, { kind: 'compare' }>,
  charged: Charged[],
): Outcome {
  if (decision.kind === 'answer') return decision.outcome;
  const stored = { call, charge: decision.charge };
  charged.push(stored);
  return { kind: 'accepted', stored };
}

function isCall(submission: Submission): submission is CallSubmission {
  return submission.kind === 'call';
}

function isCorrection(submission: Submission): submission is CorrectionSubmission {
  return submission.kind === 'correction';
}

function isDecided(submission: Submission): submission is DecidedSubmission {
  return submission.kind === 'decided';
}

function heldNow(cdr: Cdr, decision: Decision, isHeld: HeldBy): Held | undefined {
  if (isHeld === nothingHeld) return undefined;
  return decision.kind === 'store' ? heldFor(cdr, decision.charge.invoice, isHeld) : undefined;
}

interface Decisions {
  decisions: { submission: CallSubmission; decision: Decision }[];
  references: References;
}

/** Other content than a call that `prune` has removed: nobody can say any more in what it differs. */
const PRUNED: Decision = { kind: 'answer', outcome: { kind: 'conflict', differences: [] } };

/**
 * Decides calls on what the database knows; where one differs from a stored call, on that one. Calls of feeds get what was
 * looked up for them: whoever asks next which rows they move sees it.
 */
async function decideOn(
  sql: Sql,
  submissions: readonly CallSubmission[],
  { billing, lookup }: Omit<PersistContext, 'isHeld'>,
): Promise<Decisions> {
  const asked = submissions.map(({ call }) => call);
  const { stored, references, found } = lookup ?? (await lookUp(sql, asked, billing));
  const calls = submissions.map((submission) => {
    submission.call = resolve(submission.call, found);
    return submission.call;
  });
  const made = decide(calls, stored, references);
  const different = calls.flatMap(({ cdr: { uniqueid } }, index) =>
    made[index]?.kind === 'compare' && stored.has(uniqueid) ? [uniqueid] : [],
  );
  const storedCalls =
    different.length === 0
      ? new Map<string, CallOnRecord>()
      : await readStoredCalls(sql, [...new Set(different)]);
  const decisions = mapPairs(submissions, made, (submission, decision) => {
    const { call } = submission;
    const { uniqueid } = call.cdr;
    const before = storedCalls.get(uniqueid);
    if (decision.kind !== 'compare') return { submission, decision };
    if (before === undefined) return { submission, decision: stored.has(uniqueid) ? PRUNED : decision };
    return { submission, decision: { kind: 'answer' as const, outcome: compare(before, call) } };
  });
  await addBills(sql, decisions);
  return { decisions, references };
}
