import { type Correction, readCorrection } from '../dead-letters/correction.ts';
import { correctionsFor } from '../dead-letters/corrections.ts';
import { expectStorable, InvalidInput, readCount, readPercent, readRate } from '../dead-letters/input.ts';
import { prepareCorrection } from '../dead-letters/prepare-correction.ts';
import { replayFilter, selectForReplay } from '../dead-letters/selection.ts';
import { correctDeadLetters } from '../store/dead-letters/edit.ts';
import { readReplayable } from '../store/dead-letters/mark.ts';
import { isStillOperator } from '../store/sessions.ts';
import type { ConsoleContext } from './context.ts';
import type { Jobs } from './jobs.ts';
import { dryRunPage } from './page-replays.ts';
import type { ConsoleResponse } from './respond.ts';
import { selectionIn } from './selection.ts';
import type { Session } from './session.ts';

function correctionIn(form: URLSearchParams): Correction {
  const name = form.get('name');
  return readCorrection(name ? { set: [`${name}=${form.get('value') ?? ''}`] } : {});
}

function whyIn(form: URLSearchParams): string | null {
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

/** Shows what a replay would do. */
export async function showDryRun(context: ConsoleContext, form: URLSearchParams): Promise<ConsoleResponse> {
  const { ids, correction } = await readReplay(context, form);
  return dryRunPage(await context.dryRun(ids, correction));
}

/** Starts a replay in the background. */
export async function startReplay(
  context: ConsoleContext,
  jobs: Jobs,
  form: URLSearchParams,
  session: Session,
): Promise<ConsoleResponse> {
  const { username } = session;
  const { ids, correction, why } = await readReplay(context, form);
  const rate = readRate('rate', form.get('rate')) ?? null;
  const abortOver = readPercent('abort_over', form.get('abort_over')) ?? null;
  const order = { operator: username, why, correction, rate, abortOver };
  const mayContinue = () => isStillOperator(context.sql, session);
  const job = jobs.start(username, ids.length, mayContinue, (stop, onProgress) =>
    context.replay(ids, order, stop, onProgress),
  );
  return { kind: 'redirect', to: `/replays/${job.id}` };
}

/** The frozen selection of a replay and its correction. A dead letter that was named by id must be among it. */
async function readReplay({ sql, feeds }: ConsoleContext, form: URLSearchParams) {
  const filter = replayFilter(selectionIn(form), form.get('unverified') === '1');
  const wanted = correctionIn(form);
  const why = whyIn(form);
  const limit = readCount('limit', form.get('limit')) ?? null;
  const order = { correction: wanted, why, limit };
  const { ids, excluded, prepared } = await selectForReplay(sql, filter, order, feeds());
  const [left] = excluded;
  if (left !== undefined) throw new InvalidInput(left.why);
  if (prepared.kind === 'refused') throw new InvalidInput(prepared.problem);
  return { ids, correction: prepared.correction, why };
}
