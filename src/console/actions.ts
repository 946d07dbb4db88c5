import { chooseForReplay } from '../dead-letters/choice.ts';
import { correctionsFor, readEdits, refusalOf } from '../dead-letters/corrections.ts';
import {
  countIn,
  expectStorable,
  percentIn,
  rateIn,
  readSelection,
  SelectionError,
} from '../dead-letters/selection.ts';
import type { Edits } from '../domain/kept.ts';
import { correctDeadLetters, discardDeadLetters } from '../store/dead-letters/edit.ts';
import type { DeadLetterFilter } from '../store/dead-letters/list.ts';
import { readReplayable, selectIds } from '../store/dead-letters/mark.ts';
import { isStillOperator } from '../store/sessions.ts';
import type { ConsoleContext } from './desk.ts';
import type { Jobs } from './jobs.ts';
import { type FilterText, filterNames } from './page-letters.ts';
import { dryRunPage } from './page-replay.ts';
import type { Answer } from './respond.ts';
import type { Session } from './session.ts';

/** The parts of a selection that stand in a URL or a form. */
export function filterTextOf(parameters: URLSearchParams): FilterText {
  const entries = filterNames.flatMap((name) => {
    const value = parameters.get(name);
    return value === null || value === '' ? [] : [[name, value] as const];
  });
  return Object.fromEntries(entries);
}

function selectionIn(form: URLSearchParams): DeadLetterFilter {
  return readSelection({ ...filterTextOf(form), ids: form.getAll('id') }, new Date());
}

function editsIn(form: URLSearchParams): Edits {
  const name = form.get('name');
  return name ? readEdits([`${name}=${form.get('value') ?? ''}`]) : {};
}

function whyIn(form: URLSearchParams): string | null {
  const why = form.get('why')?.trim() || null;
  if (why !== null) expectStorable('why', why);
  return why;
}

/** Saves a correction of one dead letter. Throws SelectionError for one that cannot be. */
export async function correct(
  { sql }: ConsoleContext,
  form: URLSearchParams,
  { username }: Session,
): Promise<Answer> {
  const { ids = [] } = selectionIn(form);
  const edits = editsIn(form);
  const rows = await readReplayable(sql, ids);
  const refusal = refusalOf(edits, rows, whyIn(form));
  if (refusal !== null) throw new SelectionError(refusal);
  const { corrections, unreadable } = correctionsFor(rows, edits);
  if (unreadable.length > 0) throw new SelectionError('its body cannot be read, so nothing in it can be set');
  const done = await correctDeadLetters(sql, corrections, username, whyIn(form));
  if (done.size < corrections.length) throw new SelectionError('it changed meanwhile: look at it again');
  return { kind: 'go', to: `/letters/${ids[0] ?? ''}` };
}

export async function discard(
  { sql }: ConsoleContext,
  form: URLSearchParams,
  { username }: Session,
): Promise<Answer> {
  const filter = selectionIn(form);
  await discardDeadLetters(sql, filter, username, whyIn(form));
  const [only, ...others] = filter.ids ?? [];
  return { kind: 'go', to: only !== undefined && others.length === 0 ? `/letters/${only}` : '/letters' };
}

/** The frozen selection of a replay, and the correction that goes with it. Throws SelectionError. */
async function orderIn({ sql }: ConsoleContext, form: URLSearchParams) {
  const { filter, whyNot } = chooseForReplay(selectionIn(form), form.get('unverified') === '1');
  const edits = editsIn(form);
  const why = whyIn(form);
  const ids = await selectIds(sql, filter, countIn('limit', form.get('limit')) ?? null);
  // What was asked for by its id is never left out in silence.
  const named = await readReplayable(
    sql,
    (filter.ids ?? []).filter((id) => !ids.includes(id)),
  );
  const left = named.flatMap((row) => whyNot(row) ?? [])[0];
  if (left !== undefined) throw new SelectionError(left);
  const refusal = refusalOf(
    edits,
    edits.uniqueid === undefined ? [] : await readReplayable(sql, ids.slice(0, 2)),
    why,
  );
  if (refusal !== null) throw new SelectionError(refusal);
  return { ids, edits, why };
}

export async function tryOut(context: ConsoleContext, form: URLSearchParams): Promise<Answer> {
  const { ids, edits } = await orderIn(context, form);
  return dryRunPage(await context.dryRunReplays(ids, edits));
}

export async function startReplay(
  context: ConsoleContext,
  jobs: Jobs,
  form: URLSearchParams,
  session: Session,
): Promise<Answer> {
  const { username } = session;
  const { ids, edits, why } = await orderIn(context, form);
  const rate = rateIn('rate', form.get('rate')) ?? null;
  const abortOver = percentIn('abort_over', form.get('abort_over')) ?? null;
  const order = { operator: username, why, edits, rate, abortOver };
  const mayGoOn = () => isStillOperator(context.sql, session);
  const job = jobs.start(username, ids.length, mayGoOn, (stop, onProgress) =>
    context.replay(ids, order, stop, onProgress),
  );
  return { kind: 'go', to: `/replays/${job.id}` };
}
