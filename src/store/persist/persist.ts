import type { Cdr } from '../../domain/cdr.ts';
import type { BillingRules } from '../../domain/charge.ts';
import { type Call, compare, type Decision, decide } from '../../domain/decide.ts';
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
import { NOTHING_LOST, write } from './write.ts';

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
  /** Reads what is told of stored calls while the batch is written; missing within a transaction, which has one connection. */
  beside?: Sql;
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

function persistCalls(
  sql: Sql,
  submissions: readonly Submission[],
  context: PersistContext,
): Promise<PersistResult[]> {
  return persistOnce(sql, submissions, context).then((outcomes) =>
    outcomes.every(isKnown) ? outcomes : persistOpen(sql, submissions, context, outcomes),
  );
}

/** Persists what the first round has left open. */
async function persistOpen(
  sql: Sql,
  submissions: readonly Submission[],
  context: PersistContext,
  first: readonly RoundResult[],
): Promise<PersistResult[]> {
  // What was looked up before is out of date after the first round.
  const anew = { ...context, lookup: undefined };
  let outcomes = first;
  for (let round = 1; !outcomes.every(isKnown); round += 1) {
    const open = submissions.filter((_, place) => outcomes[place] === undefined);
    const found = round === ROUNDS ? open.map(notStored) : await persistOnce(sql, open, anew);
    const inOrder = found.values();
    outcomes = outcomes.map((outcome) => outcome ?? inOrder.next().value);
  }
  return [...outcomes];
}

/** Of a submission after one round; undefined where it is left to the next. */
type RoundResult = PersistResult | undefined;

function isKnown(result: RoundResult): result is PersistResult {
  return result !== undefined;
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
  { billing, isHeld, lookup: known, beside }: PersistContext,
): Promise<RoundResult[]> {
  const calls = submissions.filter(isCall);
  const lookup = known ?? (await lookUp(sql, calls.map(callOf), billing));
  let decisions = decideOn(calls, lookup);
  if (decisions.some(isComparison)) decisions = await compareWithStored(sql, calls, decisions, lookup.stored);
  const told = decisions.some(isRepeat)
    ? addBills(beside ?? sql, mapPairs(calls, decisions, decided))
    : undefined;
  if (beside === undefined) await told;
  // A failure is heard of when the write is done.
  else told?.catch(() => undefined);

  const { ofCalls, charged, deadLetters } = planOf(submissions, calls, holdBack(calls, decisions, isHeld));
  const isNothing = charged.length === 0 && deadLetters.rows.length === 0;
  const lost = isNothing
    ? NOTHING_LOST
    : await write(sql, charged, termsOf(charged, lookup.references), deadLetters, billing.openStatuses);
  await told;
  if (lost.size === 0) return resultsOf(submissions, ofCalls);
  const left = calls.map(({ call }, place) => (lost.has(call.cdr.uniqueid) ? undefined : ofCalls[place]));
  return resultsOf(submissions, left);
}

/** In the order of the submissions. */
function resultsOf(submissions: readonly Submission[], ofCalls: RoundResult[]): RoundResult[] {
  if (ofCalls.length === submissions.length) return ofCalls;
  const inOrder = ofCalls.values();
  return submissions.map((one) => (isDecided(one) ? one.outcome : inOrder.next().value));
}

/** What a round comes to when it is written. */
interface Plan {
  ofCalls: RoundResult[];
  charged: Charged[];
  deadLetters: DeadLetterRows;
}

function planOf(
  submissions: readonly Submission[],
  calls: readonly CallSubmission[],
  decisions: readonly (Decision | Held)[],
): Plan {
  const charged: Charged[] = [];
  const deadLetters = new DeadLetterRows();
  const ofCalls = mapPairs(calls, decisions, ({ call, deadLetter }, decision) => {
    if (decision.kind === 'held') return decision;
    if (decision.kind === 'compare') return undefined;
    const outcome = outcomeOf(call, decision, charged);
    deadLetters.add(outcome, call.validationOnly, deadLetter);
    return outcome;
  });
  for (const submission of submissions) {
    if (!isDecided(submission)) continue;
    deadLetters.add(submission.outcome, submission.validationOnly, submission.deadLetter);
  }
  return { ofCalls, charged, deadLetters };
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

export function isCall(submission: Submission): submission is CallSubmission {
  return submission.kind === 'call';
}

function isCorrection(submission: Submission): submission is CorrectionSubmission {
  return submission.kind === 'correction';
}

function isDecided(submission: Submission): submission is DecidedSubmission {
  return submission.kind === 'decided';
}

function callOf({ call }: CallSubmission): Call {
  return call;
}

/** Held calls in place of their decisions, and what came after them with the same uniqueid: it is decided when its first is. */
function holdBack(
  calls: readonly CallSubmission[],
  decisions: readonly Decision[],
  isHeld: HeldBy,
): readonly (Decision | Held)[] {
  if (isHeld === nothingHeld) return decisions;
  const held = new Map<string, Held>();
  return mapPairs(calls, decisions, ({ call: { cdr } }, decision) => {
    const before = held.get(cdr.uniqueid) ?? heldNow(cdr, decision, isHeld);
    if (before !== undefined) held.set(cdr.uniqueid, before);
    return before ?? decision;
  });
}

function heldNow(cdr: Cdr, decision: Decision, isHeld: HeldBy): Held | undefined {
  return decision.kind === 'store' ? heldFor(cdr, decision.charge.invoice, isHeld) : undefined;
}

/**
 * Decides calls on what the database knows. Calls of feeds get what was looked up for them: whoever asks next which rows they
 * move sees it.
 */
function decideOn(
  submissions: readonly CallSubmission[],
  { stored, references, found }: Lookup,
): readonly Decision[] {
  for (const submission of submissions) submission.call = resolve(submission.call, found);
  return decide(submissions.map(callOf), stored, references);
}

function isComparison({ kind }: Decision): boolean {
  return kind === 'compare';
}

function isRepeat(decision: Decision): boolean {
  return decision.kind === 'answer' && decision.outcome.kind === 'duplicate';
}

function decided(submission: CallSubmission, decision: Decision) {
  return { submission, decision };
}

/** Other content than a call that `prune` has removed: nobody can say any more in what it differs. */
const PRUNED: Decision = { kind: 'answer', outcome: { kind: 'conflict', differences: [] } };

/** Decides where a call differs from a stored one, on that one. */
async function compareWithStored(
  sql: Sql,
  submissions: readonly CallSubmission[],
  decisions: readonly Decision[],
  stored: Lookup['stored'],
): Promise<readonly Decision[]> {
  const different = new Set<string>();
  for (const [{ call }, { kind }] of pairs(submissions, decisions))
    if (kind === 'compare' && stored.has(call.cdr.uniqueid)) different.add(call.cdr.uniqueid);
  if (different.size === 0) return decisions;
  const storedCalls = await readStoredCalls(sql, [...different]);
  return mapPairs(submissions, decisions, ({ call }, decision) => {
    if (decision.kind !== 'compare' || !different.has(call.cdr.uniqueid)) return decision;
    const before = storedCalls.get(call.cdr.uniqueid);
    return before === undefined ? PRUNED : { kind: 'answer', outcome: compare(before, call) };
  });
}
