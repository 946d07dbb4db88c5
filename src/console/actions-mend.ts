import { type Correction, whyNeeded } from '../dead-letters/correction.ts';
import { correctionsFor } from '../dead-letters/corrections.ts';
import { type DeadLetterView, readDeadLetterView } from '../dead-letters/history.ts';
import { prepareCorrection } from '../dead-letters/prepare-correction.ts';
import { countingBody, keptFields, withEdits } from '../domain/kept.ts';
import { openStatuses } from '../domain/record.ts';
import { shown } from '../domain/text.ts';
import { InvalidInput } from '../input.ts';
import { correctDeadLetters, type RowCorrection } from '../store/dead-letters/edit.ts';
import { type Replayable, readReplayable } from '../store/dead-letters/mark.ts';
import type { ConsoleContext } from './context.ts';
import { correctionIn, whyIn } from './mend-form.ts';
import { type MendPreview, mendPage } from './page-mend.ts';
import { type ConsoleResponse, errorPage } from './respond.ts';
import { type ConsoleRequest, NOT_FOUND } from './route.ts';

/** The form that corrects one dead letter. */
export async function showMend({ context, session }: ConsoleRequest, id: string): Promise<ConsoleResponse> {
  const view = await readDeadLetterView(context.sql, id, context.systemCurrency);
  if (view === undefined) return NOT_FOUND;
  if (session.role !== 'operator')
    return errorPage(403, 'Not allowed', 'This needs a user with the role operator.');
  if (!openStatuses.includes(view.deadLetter.status)) return { kind: 'redirect', to: `/dead-letters/${id}` };
  return mendPage(
    { view, body: bodyOf(view), form: new URLSearchParams(), problem: null, preview: null },
    session,
  );
}

/** Shows what a correction would make of a dead letter, or saves it. What cannot be done leaves everything that was typed. */
export async function mend(request: ConsoleRequest, id: string): Promise<ConsoleResponse> {
  const { context, form, session } = request;
  const view = await readDeadLetterView(context.sql, id, context.systemCurrency);
  const [row] = await readReplayable(context.sql, [id]);
  if (view === undefined || row === undefined) return NOT_FOUND;
  const body = bodyOf(view);
  try {
    const correction = correctionIn(form, body);
    if (form.get('act') !== 'save')
      return mendPage(
        { view, body, form, problem: null, preview: previewOf(row, correction, request) },
        session,
      );
    return await save(row, correction, request);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return mendPage({ view, body, form, problem: error.message, preview: null }, session);
  }
}

async function save(
  row: Replayable,
  wanted: Correction,
  { context, form, session }: ConsoleRequest,
): Promise<ConsoleResponse> {
  const why = whyIn(form);
  const { change } = prepared(row, wanted, why, context);
  if (change === undefined) throw new InvalidInput('nothing is corrected: it is so already');
  const corrected = await correctDeadLetters(context.sql, [change], {
    by: session.username,
    why,
    program: 'console',
  });
  if (corrected.size === 0)
    throw new InvalidInput('it was changed by someone else in the meantime: look at it again, then save');
  return { kind: 'redirect', to: `/dead-letters/${row.id}?done=corrected` };
}

/** Throws InvalidInput where the correction cannot be made. `change` is undefined if it changes nothing. */
function prepared(
  row: Replayable,
  wanted: Correction,
  why: string | null,
  context: ConsoleContext,
): { change: RowCorrection | undefined; said: readonly string[] } {
  const made = prepareCorrection([row], wanted, why, context.feeds());
  if (made.kind === 'refused') throw new InvalidInput(made.problem);
  const { corrections, skipped } = correctionsFor([row], made.correction);
  const [left] = skipped;
  if (left !== undefined) throw new InvalidInput(left.why);
  return { change: corrections[0], said: made.said };
}

/** A preview asks for no reason yet. */
function previewOf(row: Replayable, correction: Correction, request: ConsoleRequest): MendPreview {
  const { change, said } = prepared(row, correction, 'preview', request.context);
  const { body } = countingBody(row);
  const fields = row.source === null ? keptFields(change?.body ?? body) : null;
  return {
    changes: Object.entries(change?.changes ?? {}).map(([name, { from, to }]) => [
      name,
      from === null || from === undefined ? '' : shown(from),
      to === null ? 'taken out' : shown(to),
    ]),
    call: fields === null ? null : withEdits(fields, change?.edits ?? row.edits),
    said,
    needsWhy: whyIn(request.form) === null ? whyNeeded(correction) : [],
  };
}

function bodyOf({ deadLetter }: DeadLetterView): string {
  return countingBody({ ...deadLetter, mendedBody: deadLetter.mended_body }).body;
}
