import type { Command } from 'commander';
import { ConfigError, readConfig } from '../../config.ts';
import { brokerOf, brokerVariables } from '../../connections.ts';
import { readEdits } from '../../dead-letters/corrections.ts';
import { dryRun as runDry } from '../../dead-letters/dry-run.ts';
import { readCount, readPercent, readRate } from '../../dead-letters/input.ts';
import { BrokerError, openReplayPublisher } from '../../dead-letters/publisher.ts';
import { type ReplayOrder, type ReplayProgress, replay } from '../../dead-letters/replay.ts';
import { replayFilter, selectForReplay } from '../../dead-letters/selection.ts';
import { complain } from '../print.ts';
import {
  asOperator,
  expectKnown,
  type OperatorSession,
  operatorAtWork,
  printJson,
  type SelectionOptions,
  SelectionRefused,
  selectionOf,
  usage,
  withSelection,
} from './options.ts';
import { openProgress, printDryRun, printReplay } from './progress.ts';

interface ReplayOptions extends SelectionOptions {
  set: string[];
  why?: string;
  unverified?: boolean;
  limit?: string;
  rate?: string;
  abortOver?: string;
  dryRun?: boolean;
  json?: boolean;
}

const POOL = 4;

/** `dead replay`: sends dead letters through the switch client again, in the operator's name. */
export function registerReplay(dead: Command): void {
  withSelection(dead.command('replay'))
    .description('sends dead letters again; stopped at any point, the same command finishes the rest')
    .option('--dry-run', 'only says what each would become and what would be charged')
    .option(
      '--set <name=value>',
      'corrects a parameter; may be repeated',
      (pair, pairs: string[]) => [...pairs, pair],
      [],
    )
    .option('--unverified', 'also calls whose sender nobody verified: you answer for them')
    .option('--why <text>', 'the reason, kept in the history')
    .option('--limit <count>', 'at most so many, the oldest deaths first')
    .option('--rate <count/s>', 'at most so many a second, such as 50/s')
    .option('--abort-over <percent>', 'sends no more when more than this are refused again, such as 5%')
    .option('--json', 'prints JSON')
    .action(run);
}

async function run(
  ids: string[],
  { set, why: reason, dryRun, json, ...options }: ReplayOptions,
): Promise<void> {
  const why = reason ?? null;
  const filter = selectionOf(ids, options);
  const edits = usage(() => readEdits(set));
  const limit = usage(() => readCount('limit', options.limit)) ?? null;
  const rate = usage(() => readRate('rate', options.rate)) ?? null;
  const abortOver = usage(() => readPercent('abort-over', options.abortOver)) ?? null;
  const replayable = usage(() => replayFilter(filter, options.unverified === true));
  const config = readConfig([...brokerVariables, 'SYSTEM_CURRENCY', 'MAX_BODY_BYTES', 'IGNORED_PARAMETERS']);
  await asOperator(POOL, async (session) => {
    const operator = await operatorAtWork(session);
    await expectKnown(session.sql, filter);
    const selection = await selectForReplay(session.sql, replayable, { edits, why, limit });
    if (selection.problem !== null) throw new ConfigError(`--${selection.problem}`);
    const { ids: selected, excluded, needsOption } = selection;
    if (dryRun) {
      const result = await runDry(selected, edits, session, config);
      if (json) printJson({ ...result, left_out: excluded });
      else printDryRun(result, excluded);
      const { rows, leftAlone } = result;
      const wouldResolve = leftAlone.length === 0 && rows.every(({ code }) => code === '204');
      process.exitCode = wouldResolve && !needsOption ? 0 : 1;
      return;
    }
    const progress = await send(selected, { operator, why, edits, rate, abortOver }, config, session);
    if (json) printJson({ ...progress, left_out: excluded });
    else printReplay(progress, excluded);
    const unsent = progress.selected - progress.sent - progress.leftAlone.length;
    const isDone = progress.dead === 0 && progress.takenOver === 0 && unsent === 0;
    process.exitCode = isDone && !needsOption ? 0 : 1;
  });
}

type Config = Parameters<typeof brokerOf>[0] & { MAX_BODY_BYTES: number };

async function send(
  selected: readonly string[],
  order: ReplayOrder,
  config: Config,
  { sql }: OperatorSession,
): Promise<ReplayProgress> {
  const publisher = await openReplayPublisher(brokerOf(config)).catch((error: unknown) => {
    throw error instanceof BrokerError ? new SelectionRefused(error.message) : error;
  });
  const stop = new AbortController();
  const onSignal = () => {
    // Whatever is not persisted yet stays `replaying`, and the same command takes it up.
    for (const name of SIGNALS) process.removeListener(name, onSignal).on(name, () => process.exit(1));
    complain('');
    complain('sending no more, waiting for what is on its way; once more ends at once');
    stop.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  const bar = openProgress(selected.length);
  try {
    return await replay(selected, order, {
      sql,
      publish: publisher.publish,
      maxBodyBytes: config.MAX_BODY_BYTES,
      stop: stop.signal,
      onProgress: bar.update,
    });
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    throw new SelectionRefused(
      `${error.message}; what was not sent stays "replaying", run the same command again`,
    );
  } finally {
    bar.stop();
    for (const name of SIGNALS) process.removeListener(name, onSignal);
    await publisher.close();
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
