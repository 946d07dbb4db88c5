import { parameters } from '../domain/contract.ts';
import { type Edits, isEditable, type KeptCall, keptFields, unsendable } from '../domain/kept.ts';
import { openStatuses } from '../domain/record.ts';
import type { Correction } from '../store/dead-letters/edit.ts';
import type { Replayable } from '../store/dead-letters/mark.ts';
import { expectStorable, SelectionError } from './selection.ts';

/** Reads `name=value` pairs. Throws SelectionError for a name that cannot be set, or a value it cannot have. */
export function readEdits(pairs: readonly string[]): Edits {
  const edits: Record<string, string> = {};
  for (const pair of pairs) {
    const cut = pair.indexOf('=');
    const name = cut < 0 ? pair : pair.slice(0, cut);
    if (cut < 0 || !isEditable(name)) {
      throw new SelectionError(
        `set: expected name=value with a parameter of the call, got ${JSON.stringify(name)}`,
      );
    }
    const value = pair.slice(cut + 1);
    expectStorable(`set: ${name}`, value);
    if (!parameters.shape[name].safeParse(value).success)
      throw new SelectionError(`set: ${name} cannot be ${JSON.stringify(value)}`);
    edits[name] = value;
  }
  return edits;
}

/**
 * What may not be corrected in these rows, in one line; null if everything may. A uniqueid is what keeps a call
 * from being charged twice: another one is only for a conflict, one call at a time, with a reason on record.
 */
export function refusalOf(edits: Edits, rows: readonly Replayable[], why: string | null): string | null {
  if (edits.uniqueid === undefined) return null;
  const other = rows.find(({ reason }) => reason !== 'conflict');
  if (why === null) return 'set: uniqueid needs a reason (why)';
  if (other !== undefined) return `set: uniqueid is for a conflict only, ${other.id} is ${other.reason}`;
  return rows.length > 1 ? 'set: uniqueid is for one dead letter at a time' : null;
}

/** The corrections of those rows that can be read and would change; `unreadable` are the ids of the others. */
export function correctionsFor(
  rows: readonly Replayable[],
  edits: Edits,
): { corrections: Correction[]; unreadable: string[] } {
  const corrections: Correction[] = [];
  const unreadable: string[] = [];
  for (const { id, edits: before, ...row } of rows) {
    const fields = row.altered.includes('') ? null : keptFields(row.body);
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

/** Why a selected dead letter is not sent again with these corrections, in one line; null where it is. */
export function whyNotSent(
  { status, altered, edits: before }: Pick<Replayable, 'status' | 'altered' | 'edits'>,
  edits: Edits,
): string | null {
  if (!openStatuses.includes(status)) return `is ${status}`;
  return unsendable(altered, { ...before, ...edits });
}

export function keptCall({ body, properties }: Pick<Replayable, 'body' | 'properties'>): KeptCall {
  return { body, contentType: properties.contentType ?? null };
}
