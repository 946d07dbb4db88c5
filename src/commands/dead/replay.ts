import type { Command } from 'commander';
import { ConfigError, readConfig } from '../../config.ts';
import { brokerOf, brokerVariables } from '../../connections.ts';
import { type Choice, chooseForReplay, NEEDS } from '../../dead-letters/choice.ts';
import { readEdits, refusalOf } from '../../dead-letters/corrections.ts';
import { dryRunReplays } from '../../dead-letters/dry-run.ts';
import { dryRunPorts, replayPorts } from '../../dead-letters/ports.ts';
import { BrokerError, openSender } from '../../dead-letters/publisher.ts';
import { type ReplayProgress, replay } from '../../dead-letters/replay.ts';
import { countIn, percentIn, rateIn } from '../../dead-letters/selection.ts';
import { readReplayable, selectIds } from '../../store/dead-letters/mark.ts';
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

async function run(ids: string[], { set, why, dryRun, json, ...options }: ReplayOptions): Promise<void> {
  const filter = selectionOf(ids, options);
  const edits = usage(() => readEdits(set));
  const limit = usage(() => countIn('limit', options.limit)) ?? null;
  const rate = usage(() => rateIn('rate', options.rate)) ?? null;
  const abortOver = usage(() => percentIn('abort-over', options.abortOver)) ?? null;
  const choice = usage(() => chooseForReplay(filter, options.unverified === true));
  const config = readConfig([...brokerVariables, 'SYSTEM_CURRENCY', 'MAX_BODY_BYTES', 'IGNORED_PARAMETERS']);
  await asOperator(POOL, async (session) => {
    const operator = await operatorAtWork(session);
    await expectKnown(session.sql, filter);
    const selected = await selectIds(session.sql, choice.filter, limit);
    if (edits.uniqueid !== undefined) {
      const refusal = refusalOf(edits, await readReplayable(session.sql, selected.slice(0, 2)), why ?? null);
      if (refusal !== null) throw new ConfigError(`--${refusal}`);
    }
    const skipped = await leftOut(session, ids, choice, limit === null ? selected : null);
    const needMore = skipped.some((one) => one.why.includes(NEEDS));
    if (dryRun) {
      const dryRunResult = await dryRunReplays(selected, edits, dryRunPorts(session, config));
      if (json) printJson({ ...dryRunResult, left_out: skipped });
      else printDryRun(dryRunResult, skipped);
      const { rows, leftAlone } = dryRunResult;
      const wouldResolve = leftAlone.length === 0 && rows.every(({ code }) => code === '204');
      process.exitCode = wouldResolve && !needMore ? 0 : 1;
      return;
    }
    const progress = await sendThem(selected, { edits, rate, abortOver }, config, {
      ...session,
      operator,
      why: why ?? null,
    });
    if (json) printJson({ ...progress, left_out: skipped });
    else printReplay(progress, skipped);
    const unsent = progress.selected - progress.sent - progress.leftAlone.length;
    const isDone = progress.dead === 0 && progress.takenOver === 0 && unsent === 0;
    process.exitCode = isDone && !needMore ? 0 : 1;
  });
}

type Config = Parameters<typeof brokerOf>[0] & { MAX_BODY_BYTES: number };

async function sendThem(
  selected: readonly string[],
  settings: Pick<Parameters<typeof replay>[1], 'edits' | 'rate' | 'abortOver'>,
  config: Config,
  session: OperatorSession & { operator: string; why: string | null },
): Promise<ReplayProgress> {
  const sender = await openSender(brokerOf(config)).catch((error: unknown) => {
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
    const all = { ...settings, maxBodyBytes: config.MAX_BODY_BYTES, stop: stop.signal };
    return await replay(selected, all, replayPorts(session, session, sender.send, bar.update));
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    throw new SelectionRefused(
      `${error.message}; what was not sent stays "replaying", run the same command again`,
    );
  } finally {
    bar.stop();
    for (const name of SIGNALS) process.removeListener(name, onSignal);
    await sender.close();
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Of the ids that were named: those that this replay is not about, and why. */
async function leftOut(
  { sql }: OperatorSession,
  ids: readonly string[],
  { whyNot }: Choice,
  selected: readonly string[] | null,
): Promise<{ id: string; why: string }[]> {
  if (selected === null || ids.length === 0) return [];
  const chosen = new Set(selected);
  const rows = await readReplayable(
    sql,
    ids.filter((id) => !chosen.has(id)),
  );
  return rows.flatMap((row) => {
    const why = whyNot(row);
    return why === null ? [] : [{ id: row.id, why }];
  });
}
