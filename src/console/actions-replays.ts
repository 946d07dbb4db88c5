import type { Limits } from '../dead-letters/pace.ts';
import {
  type PreparedReplay,
  prepareReplay,
  resumeReplay,
  startReplay,
  stopReplay,
} from '../dead-letters/prepare.ts';
import { BrokerError } from '../dead-letters/replay-publisher.ts';
import { replayFilter, selectForReplay } from '../dead-letters/selection.ts';
import { InvalidInput, readCount, readPercent, readRate } from '../input.ts';
import { readConsequences } from '../store/dead-letters/consequences.ts';
import { isStillOperator } from '../store/sessions.ts';
import { correctionOfManyIn, whyIn } from './mend-form.ts';
import { type ConsoleResponse, errorPage } from './respond.ts';
import type { ConsoleRequest } from './route.ts';
import { selectionIn } from './selection.ts';

/** Starts a dry run in the background. Throws InvalidInput, as the actions below do. */
export async function tryOut(request: ConsoleRequest): Promise<ConsoleResponse> {
  const { context, background, session } = request;
  const { letters, wanted } = await wantedIn(request);
  const prepared = await prepareReplay(context.database, { letters }, wanted, 'dry run');
  const { run } = expectPrepared(prepared);
  background.start(session.username, mayContinue(request), (stop) => context.runDryRun(run, stop));
  return { kind: 'redirect', to: `/replays/${run.id}` };
}

/** Starts a replay in the background, without a dry run. */
export async function replayAtOnce(request: ConsoleRequest): Promise<ConsoleResponse> {
  await expectAsShown(request);
  const { letters, wanted } = await wantedIn(request);
  return await startHere(request, () =>
    prepareReplay(request.context.database, { letters }, wanted, 'replay'),
  );
}

/** Replays what a dry run has tried. */
export async function replayTried(request: ConsoleRequest, id: string): Promise<ConsoleResponse> {
  const { context, form } = request;
  const order = { ...claimantIn(request), ...limitsIn(form) };
  return await startHere(request, () => startReplay(context.database, id, order));
}

/** Goes on with a replay that has ended early, whoever ran it. */
export async function resume(request: ConsoleRequest, id: string): Promise<ConsoleResponse> {
  const order = { ...claimantIn(request), ...limitsIn(request.form) };
  return await startHere(request, () => resumeReplay(request.context.database, id, order));
}

/** Stops a replay or a dry run, whichever process runs it. */
export async function stop({ context, session }: ConsoleRequest, id: string): Promise<ConsoleResponse> {
  const problem = await stopReplay(context.sql, id, session.username, 'console');
  if (problem !== null) throw new InvalidInput(problem);
  return { kind: 'redirect', to: `/replays/${id}` };
}

/** Nothing is on record of a replay for which there is no broker. */
async function startHere(
  request: ConsoleRequest,
  claim: () => Promise<PreparedReplay>,
): Promise<ConsoleResponse> {
  const { context, background, session } = request;
  const publisher = await context.openPublisher().catch((error: unknown) => {
    if (error instanceof BrokerError) return error;
    throw error;
  });
  if (publisher instanceof BrokerError)
    return errorPage(502, 'No broker', `Nothing was sent: ${publisher.message}.`);
  try {
    const { run } = expectPrepared(await claim());
    const work = (signal: AbortSignal) => context.runReplay(run, publisher, signal);
    background.start(session.username, mayContinue(request), work);
    return { kind: 'redirect', to: `/replays/${run.id}` };
  } catch (error) {
    await publisher.close();
    throw error;
  }
}

function expectPrepared(prepared: PreparedReplay) {
  if (prepared.kind === 'prepared') return prepared;
  throw new InvalidInput(prepared.kind === 'nothing' ? 'there is nothing to replay' : prepared.why);
}

/** Throws InvalidInput where a page has shown what would be replayed, and that has changed since. */
async function expectAsShown({ context, form }: ConsoleRequest): Promise<void> {
  const expected = form.get('expected');
  if (expected === null) return;
  const { filter } = replayFilter(selectionIn(form), form.get('unverified') === '1');
  const { fingerprint } = await readConsequences(context.sql, filter, context.systemCurrency);
  if (fingerprint !== expected)
    throw new InvalidInput('the dead letters have changed since they were shown: go back and look again');
}

function mayContinue({ context, session }: ConsoleRequest): () => Promise<boolean> {
  return () => isStillOperator(context.sql, session);
}

function claimantIn({ session }: ConsoleRequest) {
  return { operator: session.username, program: 'console' as const };
}

function limitsIn(form: URLSearchParams): Limits {
  return {
    rate: readRate('rate', form.get('rate')) ?? null,
    abortOver: readPercent('abort_over', form.get('abort_over')) ?? null,
  };
}

/** The frozen selection of a replay and its correction. A dead letter that was named by id must be among it. */
async function wantedIn(request: ConsoleRequest) {
  const { context, form } = request;
  const selected = selectionIn(form);
  const unverified = form.get('unverified') === '1';
  const why = whyIn(form);
  const limit = readCount('limit', form.get('limit')) ?? null;
  const { letters, excluded, prepared } = await selectForReplay(
    context.sql,
    replayFilter(selected, unverified),
    { correction: correctionOfManyIn(form), why, limit },
    context.feeds(),
  );
  const [left] = excluded;
  if (left !== undefined) throw new InvalidInput(left.why);
  if (prepared.kind === 'refused') throw new InvalidInput(prepared.problem);
  const { correction } = prepared;
  const wanted = { ...claimantIn(request), ...limitsIn(form), why, correction, selected, unverified, limit };
  return { letters, wanted };
}
