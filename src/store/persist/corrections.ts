import type { BillingRules, References } from '../../domain/charge.ts';
import type { Correction } from '../../domain/correction.ts';
import { movesMoney } from '../../domain/correction.ts';
import { billsOfCorrection } from '../../domain/correction-bill.ts';
import {
  AT_THE_SAME_TIME,
  answerOf,
  type CallRecord,
  type CorrectionDecision,
  decideCorrection,
} from '../../domain/correction-decision.ts';
import type { Entry } from '../../domain/entry.ts';
import { type HeldBy, heldForRows, type PersistResult } from '../../domain/held.ts';
import type { Outcome } from '../../domain/outcome.ts';
import { standingOf } from '../../domain/standing.ts';
import type { CorrectionSubmission, MovedRows } from '../../domain/submission.ts';
import { DeadLetterRows } from '../dead-letters/insert.ts';
import type { Sql } from '../sql.ts';
import { book } from './corrections-book.ts';
import { lookUpForCorrection, readCorrectedCall } from './corrections-look-up.ts';
import { writeDeadLetters } from './write.ts';

/** What a correction is booked with. */
export interface CorrectionContext {
  billing: BillingRules;
  isHeld: HeldBy;
}

/** Rounds that a correction may need: another one of its call, or with its id, was booked meanwhile. */
const ROUNDS = 3;

/**
 * Books a correction, or keeps it as a dead letter. Three statements do it: two look up the call and what it refers to, one
 * books, atomic by itself. Throws what the database throws; then nothing is booked, and the same correction may be tried again: if
 * it has been booked after all, it is a duplicate then.
 */
export async function persistCorrection(
  sql: Sql,
  submission: CorrectionSubmission,
  { billing, isHeld }: CorrectionContext,
): Promise<PersistResult> {
  const { correction } = submission;
  for (let round = 0; round < ROUNDS; round += 1) {
    const record = await readCorrectedCall(sql, correction);
    const { decision, references } = await decideOn(sql, submission, record, billing);
    if (decision.kind === 'answer') return await answer(sql, submission, decision.outcome, billing);
    submission.moves = rowsOf(decision.entries);
    const held = heldForRows(submission.moves, isHeld);
    if (held !== undefined) return held;
    const bills = billsOfCorrection(correction.id, decision.entries);
    if (bills === undefined) throw new Error('a correction was decided without its own entry');
    if (await book(sql, decision, references, billing.openStatuses)) return { kind: 'booked', ...bills };
    const now = await readCorrectedCall(sql, correction);
    // One that put the call on an invoice changes nothing that a sender could mean: it is decided again.
    const since = now.entries.slice(record.entries.length);
    if (since.some(({ kind }) => kind !== 'attaching')) submission.isBehind = true;
  }
  return {
    kind: 'held',
    cause: 'message',
    row: null,
    why: 'the database silently dropped an entry that it was given',
  };
}

/** What a correction would do. */
export interface TriedCorrection {
  outcome: PersistResult;
  /** Those that were booked, in their order. */
  entries: Entry[];
  /** The entry in force before, '' for the call itself; null where no such call is stored. */
  follows: string | null;
}

/** Books a correction within a transaction that its caller rolls back, and says what it moves. Keeps no dead letter. */
export async function dryRunCorrection(
  sql: Sql,
  correction: Correction,
  billing: BillingRules,
): Promise<TriedCorrection> {
  const before = await readCorrectedCall(sql, correction);
  const submission: CorrectionSubmission = {
    kind: 'correction',
    correction,
    uniqueid: correction.uniqueid,
    deadLetter: () => null,
    cleaned: 0,
  };
  const outcome = await persistCorrection(sql, submission, { billing, isHeld: () => undefined });
  const after = await readCorrectedCall(sql, correction);
  return {
    outcome,
    entries: after.entries.slice(before.entries.length),
    follows: before.call && standingOf(before.call, before.entries).latest,
  };
}

interface Decided {
  decision: CorrectionDecision;
  /** Null where nothing was looked up. */
  references: References | null;
}

async function decideOn(
  sql: Sql,
  { correction, isBehind }: CorrectionSubmission,
  record: CallRecord,
  billing: BillingRules,
): Promise<Decided> {
  const { call, entries, own } = record;
  const known = answerOf(correction, record);
  if (known !== null) return { decision: { kind: 'answer', outcome: known }, references: null };
  if (call === null || own !== null) throw new Error('a correction without its call was not answered');
  if (isBehind) return { decision: { kind: 'answer', outcome: AT_THE_SAME_TIME }, references: null };
  const standing = standingOf(call, entries);
  const references = await lookUpForCorrection(sql, correction, standing, billing);
  const isMoney = correction.operation === 'void' || movesMoney(correction.changes);
  return {
    decision: decideCorrection(correction, call, entries, references),
    references: isMoney ? references : null,
  };
}

async function answer(
  sql: Sql,
  { deadLetter }: CorrectionSubmission,
  outcome: Outcome,
  { openStatuses }: BillingRules,
): Promise<Outcome> {
  const deadLetters = new DeadLetterRows();
  deadLetters.add(outcome, false, deadLetter);
  if (deadLetters.rows.length > 0) await writeDeadLetters(sql, deadLetters, openStatuses);
  return outcome;
}

function rowsOf(entries: readonly Entry[]): MovedRows {
  const customers = entries.flatMap(({ customer, calls }) => (calls === 0 ? [] : [customer]));
  const invoices = entries.flatMap(({ invoice }) => invoice ?? []);
  return { customers: [...new Set(customers)], invoices: [...new Set(invoices)] };
}
