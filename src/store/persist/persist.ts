import type { Cdr } from '../../domain/cdr.ts';
import type { References } from '../../domain/charge.ts';
import { compare, type Decision, decide } from '../../domain/decide.ts';
import {
  callsLike,
  type Held,
  type HeldBy,
  heldFor,
  nothingHeld,
  type PersistResult,
} from '../../domain/held.ts';
import type { Outcome } from '../../domain/outcome.ts';
import type { AnsweredSubmission, CallSubmission, Submission } from '../../domain/submission.ts';
import { DeadLetterRows } from '../dead-letters/insert.ts';
import type { Sql } from '../sql.ts';
import { readCalls } from './columns.ts';
import { type Known, readKnown } from './read.ts';
import { type Charged, termsOf } from './terms.ts';
import { write } from './write.ts';

/**
 * Persists a batch: every call stored once and charged once, every refusal kept, each by one atomic statement.
 * Returns the outcomes in the order of the entries. Throws what the database throws; then nothing of the
 * statement that failed has happened, and persisting the same entries again is safe.
 *
 * @param known what their calls refer to, where it was asked before
 */
export async function persist(
  sql: Sql,
  entries: readonly Submission[],
  systemCurrency: string,
  known?: Known,
): Promise<Outcome[]> {
  const persisted = await persistUnheld(sql, entries, systemCurrency, nothingHeld, known);
  return persisted.map((outcome) => {
    if (outcome.kind === 'held') throw new Error(outcome.why);
    return outcome;
  });
}

/**
 * Rounds that a call may need: another worker stored its uniqueid, or it differs from one of this very batch, or both.
 * More than these means that the database says that it has taken a call in and has not.
 */
const ROUNDS = 5;

/** The same, but leaves alone what is held: it is not touched, nor is what came later with the same uniqueid. */
export async function persistUnheld(
  sql: Sql,
  entries: readonly Submission[],
  systemCurrency: string,
  isHeld: HeldBy,
  known?: Known,
): Promise<PersistResult[]> {
  const outcomes = new Map<Submission, PersistResult>();
  let open = entries;
  for (let round = 0; open.length > 0; round += 1) {
    if (round === ROUNDS) for (const entry of open) outcomes.set(entry, notTakenIn(entry));
    else await persistOnce(sql, open, systemCurrency, isHeld, round === 0 ? known : undefined, outcomes);
    open = open.filter((entry) => !outcomes.has(entry));
  }
  return entries.flatMap((entry) => outcomes.get(entry) ?? []);
}

/** A trigger on cdrs, or row security, says nothing and stores nothing. */
function notTakenIn({ verdict }: Submission): Held {
  const row = verdict.kind === 'call' ? callsLike(verdict.call.cdr) : null;
  return { kind: 'held', row, why: 'the database leaves out what it was given, without an error' };
}

/**
 * Gives an outcome to every entry but two kinds, which the next round decides on what is stored by then: calls
 * whose uniqueid another worker stored meanwhile, and calls that differ from one of this very batch.
 */
async function persistOnce(
  sql: Sql,
  entries: readonly Submission[],
  systemCurrency: string,
  isHeld: HeldBy,
  known: Known | undefined,
  outcomes: Map<Submission, PersistResult>,
): Promise<void> {
  const calls = entries.filter((entry): entry is CallSubmission => entry.verdict.kind === 'call');
  const answered = entries.filter((entry): entry is AnsweredSubmission => entry.verdict.kind === 'answer');
  const deadLetters = new DeadLetterRows();
  const charged: Charged[] = [];
  const decided = new Map<Submission, Outcome>();
  /** By uniqueid: what comes later with it is decided when its first is. */
  const held = new Map<string, Held>();

  const decisions = await decideOn(sql, calls, systemCurrency, known);
  for (const { entry, decision } of decisions.made) {
    const { call } = entry.verdict;
    const before = held.get(call.cdr.uniqueid) ?? heldNow(call.cdr, decision, isHeld);
    if (before !== undefined) {
      held.set(call.cdr.uniqueid, before);
      outcomes.set(entry, before);
      continue;
    }
    if (decision.kind === 'compare') continue;
    const outcome: Outcome = decision.kind === 'store' ? { kind: 'accepted' } : decision.outcome;
    if (decision.kind === 'store') charged.push({ call, charge: decision.charge });
    decided.set(entry, outcome);
    deadLetters.add(outcome, call.validationOnly, entry.deadLetter);
  }
  for (const { verdict, deadLetter } of answered)
    deadLetters.add(verdict.outcome, verdict.validationOnly, deadLetter);

  const nothing = charged.length === 0 && deadLetters.rows.length === 0;
  const lost = nothing
    ? new Set<string>()
    : await write(sql, charged, termsOf(charged, decisions.references), deadLetters);
  for (const [entry, outcome] of decided) {
    if (entry.verdict.kind === 'call' && !lost.has(entry.verdict.call.cdr.uniqueid))
      outcomes.set(entry, outcome);
  }
  for (const entry of answered) outcomes.set(entry, entry.verdict.outcome);
}

function heldNow(cdr: Cdr, decision: Decision, isHeld: HeldBy): Held | undefined {
  if (isHeld === nothingHeld) return undefined;
  return decision.kind === 'store' ? heldFor(cdr, decision.charge.invoice, isHeld) : undefined;
}

interface Decisions {
  references: References;
  made: { entry: CallSubmission; decision: Decision }[];
}

/** Other content than a call that `prune` has taken out: nobody can say any more in what it differs. */
const GONE: Decision = { kind: 'answer', outcome: { kind: 'conflict', differences: [] } };

/** Decides calls on what the database knows; where only a stored call can judge, on that one. */
async function decideOn(
  sql: Sql,
  entries: readonly CallSubmission[],
  systemCurrency: string,
  known: Known | undefined,
): Promise<Decisions> {
  const calls = entries.map(({ verdict }) => verdict.call);
  const cdrs = calls.map(({ cdr }) => cdr);
  const { stored, references } = known ?? (await readKnown(sql, cdrs, systemCurrency));
  const decisions = decide(calls, stored, references);
  const open = calls.filter(
    ({ cdr }, index) => decisions[index]?.kind === 'compare' && stored.has(cdr.uniqueid),
  );
  const before =
    open.length === 0 ? new Map() : await readCalls(sql, [...new Set(open.map(({ cdr }) => cdr.uniqueid))]);
  const made = entries.flatMap((entry, index) => {
    const decision = decisions[index];
    const { call } = entry.verdict;
    const first = before.get(call.cdr.uniqueid);
    if (decision === undefined) return [];
    if (decision.kind !== 'compare') return [{ entry, decision }];
    if (first === undefined) return [{ entry, decision: stored.has(call.cdr.uniqueid) ? GONE : decision }];
    return [{ entry, decision: { kind: 'answer' as const, outcome: compare(first, call) } }];
  });
  return { references, made };
}
