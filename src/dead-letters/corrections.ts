import type { Fields } from '../domain/body.ts';
import { parameters } from '../domain/contract.ts';
import { type Edits, isEditable, keptFields, unsendable } from '../domain/kept.ts';
import { openStatuses } from '../domain/record.ts';
import type { Correction } from '../store/dead-letters/edit.ts';
import type { Replayable } from '../store/dead-letters/mark.ts';
import { expectStorable, InvalidInput } from './input.ts';

/** Parses `name=value` pairs. Throws InvalidInput for a name that cannot be set or a value that is not valid for it. */
export function readEdits(pairs: readonly string[]): Edits {
  const edits: Record<string, string> = {};
  for (const pair of pairs) {
    const cut = pair.indexOf('=');
    const name = cut < 0 ? pair : pair.slice(0, cut);
    if (cut < 0 || !isEditable(name)) {
      throw new InvalidInput(
        `set: expected name=value with a parameter of the call, got ${JSON.stringify(name)}`,
      );
    }
    const value = pair.slice(cut + 1);
    expectStorable(`set: ${name}`, value);
    if (!parameters.shape[name].safeParse(value).success)
      throw new InvalidInput(`set: ${JSON.stringify(value)} is not valid for ${name}`);
    edits[name] = value;
  }
  return edits;
}

/**
 * Why these rows may not get another uniqueid; null if they may. The uniqueid is what keeps a call from being charged
 * twice, so only one conflict at a time gets another one, with a reason on record.
 */
export function uniqueidProblem(
  rows: readonly Pick<Replayable, 'id' | 'reason'>[],
  why: string | null,
): string | null {
  const other = rows.find(({ reason }) => reason !== 'conflict');
  if (why === null) return 'set: uniqueid requires a reason (why)';
  if (other !== undefined)
    return `set: uniqueid can only be set for a conflict, but ${other.id} is ${other.reason}`;
  return rows.length > 1 ? 'set: uniqueid can only be set for one dead letter at a time' : null;
}

export const UNREADABLE = 'the body cannot be read, so no parameter can be set';

/** The corrections that change something. `unreadable` has the ids of rows whose body cannot be read. */
export function correctionsFor(
  rows: readonly Replayable[],
  edits: Edits,
): { corrections: Correction[]; unreadable: string[] } {
  const corrections: Correction[] = [];
  const unreadable: string[] = [];
  for (const { id, edits: before, ...row } of rows) {
    const fields = fieldsOf(row);
    if (fields === null) {
      unreadable.push(id);
      continue;
    }
    const now = { ...fields, ...before };
    const changed = Object.entries(edits).filter(([name, value]) => before[name] !== value);
    if (changed.length === 0) continue;
    const changes = Object.fromEntries(changed.map(([name, to]) => [name, { from: now[name] ?? null, to }]));
    corrections.push({ id, before, edits: { ...before, ...Object.fromEntries(changed) }, changes });
  }
  return { corrections, unreadable };
}

/** The parameters as received, null if they cannot be read. Of a record there are none: it is mapped when it is replayed. */
function fieldsOf({ source, altered, body }: Pick<Replayable, 'source' | 'altered' | 'body'>): Fields | null {
  if (altered.includes('')) return null;
  return source === null ? keptFields(body) : {};
}

/** A dead letter that is not replayed, and why in one line. */
export interface Skipped {
  id: string;
  why: string;
}

/**
 * Splits rows into those that can be replayed with these edits and those that cannot. `rows` have the edits applied;
 * `corrections` is what the caller must still store.
 */
export function withCorrections(
  rows: readonly Replayable[],
  edits: Edits,
): { rows: Replayable[]; corrections: Correction[]; skipped: Skipped[] } {
  const skipped: Skipped[] = [];
  const sendable = rows.filter((row) => {
    const why = whyNotSent(row, edits);
    if (why !== null) skipped.push({ id: row.id, why });
    return why === null;
  });
  if (Object.keys(edits).length === 0) return { rows: sendable, corrections: [], skipped };
  const { corrections, unreadable } = correctionsFor(sendable, edits);
  for (const id of unreadable) skipped.push({ id, why: UNREADABLE });
  const corrected = new Map(corrections.map(({ id, edits: all }) => [id, all]));
  const readable = sendable.filter(({ id }) => !unreadable.includes(id));
  return {
    rows: readable.map((row) => ({ ...row, edits: corrected.get(row.id) ?? row.edits })),
    corrections,
    skipped,
  };
}

/** Why a dead letter cannot be replayed with these edits, in one line; null if it can. */
export function whyNotSent(
  { status, altered, edits: before }: Pick<Replayable, 'status' | 'altered' | 'edits'>,
  edits: Edits,
): string | null {
  if (!openStatuses.includes(status)) return `status is ${status}`;
  return unsendable(altered, { ...before, ...edits });
}
