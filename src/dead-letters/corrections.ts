import type { Fields } from '../domain/body.ts';
import {
  countingBody,
  type Edits,
  editableIn,
  keptFields,
  takes,
  unsendable,
  withEdits,
} from '../domain/kept.ts';
import { MASK } from '../domain/masking.ts';
import { openStatuses } from '../domain/record.ts';
import { shown } from '../domain/text.ts';
import type { RowCorrection } from '../store/dead-letters/edit.ts';
import type { Replayable } from '../store/dead-letters/mark.ts';
import { type Correction, correctsNothing } from './correction.ts';

/** A dead letter that is not replayed, and why in one line. */
export interface Skipped {
  id: string;
  why: string;
}

/** What a correction makes of dead letters. */
export interface Corrected {
  /** Those that can be replayed, with the correction applied. */
  rows: Replayable[];
  /** What the caller must still store: only what changes something. */
  corrections: RowCorrection[];
  skipped: Skipped[];
}

/** Splits rows into those that can be replayed with a correction and those that cannot. */
export function withCorrections(rows: readonly Replayable[], correction: Correction): Corrected {
  const result: Corrected = { rows: [], corrections: [], skipped: [] };
  for (const found of rows) {
    const corrected = correctRow(found, correction);
    const why = corrected.kind === 'left' ? corrected.why : whyNotSent(corrected.row);
    if (why !== null || corrected.kind === 'left') {
      result.skipped.push({ id: found.id, why: why ?? '' });
      continue;
    }
    result.rows.push(corrected.row);
    if (corrected.change !== null) result.corrections.push(corrected.change);
  }
  return result;
}

/** What a correction changes in rows that need not be replayed yet. */
export function correctionsFor(
  rows: readonly Replayable[],
  correction: Correction,
): Pick<Corrected, 'corrections' | 'skipped'> {
  const corrections: RowCorrection[] = [];
  const skipped: Skipped[] = [];
  for (const row of rows) {
    const corrected = correctRow(row, correction);
    if (corrected.kind === 'left') skipped.push({ id: row.id, why: corrected.why });
    else if (corrected.change !== null) corrections.push(corrected.change);
  }
  return { corrections, skipped };
}

/** Why a dead letter cannot be replayed as it is, in one line; null if it can. */
export function whyNotSent(
  row: Pick<Replayable, 'status' | 'altered' | 'edits' | 'body' | 'mendedBody'>,
): string | null {
  if (!openStatuses.includes(row.status)) return `status is ${row.status}`;
  return unsendable(countingBody(row).altered, row.edits);
}

type CorrectedRow =
  | { kind: 'corrected'; row: Replayable; change: RowCorrection | null }
  /** It cannot be corrected like this, and stays as it is. */
  | { kind: 'left'; why: string };

/**
 * Corrects one dead letter. A body that replaces its own begins anew: what was corrected before was of another text. The
 * same correction again changes nothing, so that a replay that was stopped can be run once more.
 */
function correctRow(found: Replayable, correction: Correction): CorrectedRow {
  if (!openStatuses.includes(found.status)) return left(`status is ${found.status}`);
  if (correctsNothing(correction)) return { kind: 'corrected', row: found, change: null };
  const isReplaced = correction.body !== undefined && correction.body !== found.mendedBody;
  const row = isReplaced ? { ...found, edits: {}, mendedBody: correction.body ?? null } : found;
  const result = editsOf(row, correction);
  if (typeof result === 'string') return left(result);
  const { edits, changes } = result;
  const isChanged = isReplaced || Object.keys(changes).length > 0;
  const change = {
    id: found.id,
    before: found.edits,
    bodyBefore: found.mendedBody,
    edits,
    changes,
    ...(isReplaced && { body: row.mendedBody ?? '' }),
  };
  return { kind: 'corrected', row: { ...row, edits }, change: isChanged ? change : null };
}

function left(why: string): CorrectedRow {
  return { kind: 'left', why };
}

/** The edits of a row with a correction, and what it changes; or why it cannot be made. */
function editsOf(
  row: Replayable,
  { set, rename, unset }: Correction,
): { edits: Edits; changes: RowCorrection['changes'] } | string {
  const { body, altered } = countingBody(row);
  const isRecord = row.source !== null;
  const foreign = [...Object.keys(set), ...Object.values(rename)].find(
    (name) => !editableIn[row.operation].includes(name),
  );
  if (foreign !== undefined) return `cdrs/${row.operation} has no parameter ${foreign} that can be corrected`;
  if (isRecord && (unset.length > 0 || Object.keys(rename).length > 0))
    return `a record of the feed ${row.source}: parameters of it can be set, everything else is in the sources file`;
  // Of a record there are none: it is mapped when it is replayed.
  const received = isRecord ? {} : altered.includes('') ? null : keptFields(body);
  if (received === null) {
    const names = [...Object.keys(set), ...Object.keys(rename), ...unset];
    return names.length === 0 ? { edits: row.edits, changes: {} } : UNREADABLE;
  }
  const now = withEdits(received, row.edits);
  // Names of a sender's own making: not keys of an object, which has some from the start.
  const next = new Map<string, string | null>(
    unset.filter((name) => Object.hasOwn(now, name)).map((name) => [name, null]),
  );
  const isLeaving = (name: string) => unset.includes(name) || Object.hasOwn(rename, name);
  for (const [from, to] of Object.entries(rename)) {
    const isDone = row.edits[from] === null && Object.hasOwn(now, to);
    if (isDone && !Object.hasOwn(now, from)) continue;
    const value = valueToMove(now, altered, from, to);
    if (value.kind === 'left') return value.why;
    if (!isAbsent(now, to) && !isLeaving(to))
      return `has both ${shown(from)} and ${to}: take one of them out`;
    if (!next.has(from)) next.set(from, null);
    next.set(to, value.text);
  }
  return merged(received, row.edits, now, { ...Object.fromEntries(next), ...set });
}

export const UNREADABLE = 'the body cannot be read, so no parameter can be corrected: replace the body';

/** Empty means its default, as if it were not there. */
export function isAbsent(fields: Fields, name: string): boolean {
  return !Object.hasOwn(fields, name) || fields[name] === '';
}

/** The value of a misnamed parameter, fit for its right name. */
function valueToMove(
  now: Fields,
  altered: readonly string[],
  from: string,
  to: string,
): { kind: 'value'; text: string } | { kind: 'left'; why: string } {
  const refuse = (why: string) => ({ kind: 'left' as const, why });
  if (!Object.hasOwn(now, from)) return refuse(`has no parameter ${shown(from)} to rename`);
  const value = now[from];
  if (altered.includes(from) || (typeof value === 'string' && value.includes(MASK)))
    return refuse(`${shown(from)} was masked or cut: set ${to} and take ${shown(from)} out`);
  if (typeof value !== 'string' && typeof value !== 'number')
    return refuse(`${shown(from)} is ${shown(value)}, which cannot be moved`);
  const text = String(value);
  if (!takes(to, text)) return refuse(`${shown(text)} is not valid for ${to}`);
  return { kind: 'value', text };
}

function merged(
  received: Fields,
  before: Edits,
  now: Fields,
  next: Edits,
): { edits: Edits; changes: RowCorrection['changes'] } {
  const changed = Object.entries(next).filter(([name, value]) => before[name] !== value);
  // What only a correction had put there is gone without a trace in the edits.
  const isGone = ([name, value]: [string, string | null]) => value === null && !Object.hasOwn(received, name);
  const edits = Object.entries({ ...before, ...next }).filter((edit) => !isGone(edit));
  const changes = changed.map(([name, to]) => [name, { from: now[name] ?? null, to }] as const);
  return { edits: Object.fromEntries(edits), changes: Object.fromEntries(changes) };
}
