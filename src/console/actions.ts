import { type Correction, readCorrection } from '../dead-letters/correction.ts';
import { correctionsFor } from '../dead-letters/corrections.ts';
import { expectStorable, InvalidInput } from '../dead-letters/input.ts';
import { prepareCorrection } from '../dead-letters/prepare-correction.ts';
import { correctDeadLetters } from '../store/dead-letters/edit.ts';
import { readReplayable } from '../store/dead-letters/mark.ts';
import type { ConsoleContext } from './context.ts';
import type { ConsoleResponse } from './respond.ts';
import { selectionIn } from './selection.ts';
import type { Session } from './session.ts';

export function correctionIn(form: URLSearchParams): Correction {
  const name = form.get('name');
  return readCorrection(name ? { set: [`${name}=${form.get('value') ?? ''}`] } : {});
}

export function whyIn(form: URLSearchParams): string | null {
  const why = form.get('why')?.trim() || null;
  if (why !== null) expectStorable('why', why);
  return why;
}

/** Stores a correction of one dead letter. Throws InvalidInput, as the actions below do. */
export async function correct(
  { sql, feeds }: ConsoleContext,
  form: URLSearchParams,
  { username }: Session,
): Promise<ConsoleResponse> {
  const { ids = [] } = selectionIn(form);
  const why = whyIn(form);
  const rows = await readReplayable(sql, ids);
  const prepared = prepareCorrection(rows, correctionIn(form), why, feeds());
  if (prepared.kind === 'refused') throw new InvalidInput(prepared.problem);
  const { corrections, skipped } = correctionsFor(rows, prepared.correction);
  const [left] = skipped;
  if (left !== undefined) throw new InvalidInput(left.why);
  const corrected = await correctDeadLetters(sql, corrections, { by: username, why, program: 'console' });
  if (corrected.size < corrections.length)
    throw new InvalidInput('changed by someone else in the meantime; reload and try again');
  return { kind: 'redirect', to: `/dead-letters/${ids[0] ?? ''}` };
}
