import { billingVariables } from '../../billing-rules.ts';
import { BrokerError } from '../../broker/operator-publisher.ts';
import type { readConfig } from '../../config.ts';
import { type brokerOf, brokerVariables, databaseVariables } from '../../connections.ts';
import { runDryRun } from '../../dead-letters/dry-run.ts';
import type { PreparedReplay, Refused } from '../../dead-letters/prepare.ts';
import { openReplayPublisher, type ReplayPublisher } from '../../dead-letters/replay-publisher.ts';
import { runReplay } from '../../dead-letters/run.ts';
import type { Database } from '../../store/database.ts';
import { hasLeftOpen } from '../../store/replays/letters.ts';
import { readReplayRow } from '../../store/replays/read.ts';
import { readDryRunSums } from '../../store/replays/sums.ts';
import type { Feeds } from '../../worker/feeds.ts';
import { CommandError } from '../exit.ts';
import { complain } from '../print.ts';
import { onStopSignal } from '../signals.ts';
import { openProgress } from './progress.ts';
import { type Printed, printDryRun, printReplay } from './results.ts';
import { operatorVariables } from './session.ts';

export const replayVariables = [
  ...databaseVariables,
  ...brokerVariables,
  ...operatorVariables,
  ...billingVariables,
  'MAX_BODY_BYTES',
  'IGNORED_PARAMETERS',
  'SOURCES_FILE',
] as const;

export type ReplayConfig = ReturnType<typeof readConfig<(typeof replayVariables)[number]>>;

/** Throws CommandError if no broker can be reached. */
export async function openPublisher(brokers: ReturnType<typeof brokerOf>): Promise<ReplayPublisher> {
  return await openReplayPublisher(brokers).catch((error: unknown) => {
    throw brokerFailure(error, 'check AMQP_URL: amqp://user:password@host:5672/vhost');
  });
}

/** Runs a dry run to its end. Returns whether all selected dead letters would be resolved. */
export async function runDry(
  database: Database,
  config: ReplayConfig,
  prepared: PreparedReplay,
  feeds: Feeds,
  printed: Printed,
): Promise<boolean> {
  if (prepared.kind === 'refused') throw refusal(prepared);
  if (prepared.kind === 'nothing') {
    await printDryRun(database.sql, null, printed);
    return true;
  }
  const { run } = prepared;
  const stop = new AbortController();
  const ignoreSignals = onStopSignal(() => stop.abort('ended by a signal'));
  try {
    const context = { database, config, feeds, stop: stop.signal, onProgress: () => undefined };
    if (!(await runDryRun(run, context))) throw new CommandError(await endingOf(database, run.id));
  } finally {
    ignoreSignals();
  }
  await printDryRun(database.sql, run.id, printed);
  const { skipped, staying_dead } = await readDryRunSums(database.sql, run.id);
  return skipped.length === 0 && staying_dead === 0;
}

async function endingOf({ sql }: Database, id: string): Promise<string> {
  const row = await readReplayRow(sql, id);
  return `dry run ${id} is not complete: ${row?.problem ?? 'it was stopped'}`;
}

/** Claims a replay and runs it to its end. Returns whether nothing of it is left to an operator. */
export async function runHere(
  database: Database,
  config: ReplayConfig,
  { publish }: ReplayPublisher,
  claim: () => Promise<PreparedReplay>,
  printed: Printed,
): Promise<boolean> {
  const prepared = await claim();
  if (prepared.kind === 'refused') throw refusal(prepared);
  if (prepared.kind === 'nothing') {
    await printReplay(database.sql, null, printed);
    return true;
  }
  const { run } = prepared;
  const { selected = 0 } = (await readReplayRow(database.sql, run.id)) ?? {};
  const stop = new AbortController();
  const bar = openProgress(selected, run.id);
  const ignoreSignals = onStopSignal(() => {
    complain('');
    complain('stopping; waiting for replays in flight (Ctrl-C again to quit now)');
    stop.abort('ended by a signal');
  });
  try {
    const settings = { database, publish, maxBodyBytes: config.MAX_BODY_BYTES, stop: stop.signal };
    const progress = await runReplay(run, { ...settings, onProgress: bar.update });
    bar.stop();
    await printReplay(database.sql, { id: run.id, progress }, printed);
    const { dead, takenOver, sent, skipped } = progress;
    if (dead > 0 || takenOver > 0 || progress.selected > sent + skipped) return false;
    return skipped === 0 || !(await hasLeftOpen(database.sql, run.id));
  } catch (error) {
    throw brokerFailure(error, `to continue: cdr-ingest dead replay --resume ${run.id}`);
  } finally {
    bar.stop();
    ignoreSignals();
  }
}

function refusal({ why, other }: Refused): CommandError {
  return new CommandError(other === null ? why : `${why}; see "cdr-ingest dead replays ${other}"`);
}

function brokerFailure(error: unknown, advice: string): unknown {
  return error instanceof BrokerError ? new CommandError(`${error.message}; ${advice}`) : error;
}
