import type { Command } from 'commander';
import { billingVariables } from '../../billing-rules.ts';
import { ConfigError, readConfig } from '../../config.ts';
import { brokerOf, brokerVariables, databaseVariables } from '../../connections.ts';
import { readCorrection } from '../../dead-letters/correction.ts';
import type { Skipped } from '../../dead-letters/corrections.ts';
import { dryRun } from '../../dead-letters/dry-run.ts';
import { readCount, readPercent, readRate } from '../../dead-letters/input.ts';
import { replay } from '../../dead-letters/replay.ts';
import { BrokerError, openReplayPublisher } from '../../dead-letters/replay-publisher.ts';
import {
  type Excluded,
  type ReplaySelection,
  replayFilter,
  selectForReplay,
} from '../../dead-letters/selection.ts';
import { feedsIn } from '../../sources-file.ts';
import type { Database } from '../../store/database.ts';
import { Feeds } from '../../worker/feeds.ts';
import { withDatabase } from '../database.ts';
import { CommandError, finish } from '../exit.ts';
import { addUsage } from '../help.ts';
import { complain, printJson } from '../print.ts';
import { onStopSignal } from '../signals.ts';
import { addSelection, expectKnown, fromOptions, type SelectionOptions, selectionOf } from './options.ts';
import { openProgress } from './progress.ts';
import { printDryRun, printReplay } from './results.ts';
import { deadSession, operatorVariables, signIn } from './session.ts';

const variables = [
  ...databaseVariables,
  ...brokerVariables,
  ...operatorVariables,
  ...billingVariables,
  'MAX_BODY_BYTES',
  'IGNORED_PARAMETERS',
  'SOURCES_FILE',
] as const;

const POOL = 4;

/** `dead replay`: publishes dead letters again, in the operator's name. */
export function registerReplay(dead: Command): void {
  const command = addSelection(dead.command('replay'))
    .description('Replay dead letters; if interrupted, rerun the same command to continue')
    .option('--dry-run', 'only show what each would become and what would be charged')
    .option('--set <name=value>', 'correct a parameter; may be repeated', (pair, pairs: string[] = []) => [
      ...pairs,
      pair,
    ])
    .option('--unverified', 'include calls whose sender was not verified; you answer for them')
    .option('--why <text>', 'reason, kept in the history')
    .option('--limit <count>', 'maximum dead letters, the oldest deaths first')
    .option('--rate <count/s>', 'maximum per second, such as 50/s')
    .option('--abort-over <percent>', 'stop when more than this percentage is refused, such as 5%')
    .option('--json', 'print JSON')
    .action(run);
  addUsage(command, {
    examples: [
      'cdr-ingest dead replay --key scustomer --dry-run',
      'cdr-ingest dead replay --key scustomer --rate 50/s --abort-over 5%',
      'cdr-ingest dead replay 42 --set scustomer=123 --why "typo in the switch"',
    ],
    environment: variables,
  });
}

interface ReplayOptions extends SelectionOptions {
  set?: string[];
  why?: string;
  unverified?: boolean;
  limit?: string;
  rate?: string;
  abortOver?: string;
  dryRun?: boolean;
  json?: boolean;
}

async function run(ids: string[], options: ReplayOptions): Promise<void> {
  const request = readRequest(ids, options);
  const config = readConfig(variables);
  await withDatabase(config, { ...deadSession, poolSize: POOL }, async (database) => {
    const operator = await signIn(database.sql, config);
    await expectKnown(database.sql, request.selected);
    const feeds = new Feeds(feedsIn(config.SOURCES_FILE));
    const selection = await selectForReplay(database.sql, request.filter, request, feeds);
    const { prepared } = selection;
    if (prepared.kind === 'refused') throw new ConfigError(`--${prepared.problem}`);
    for (const line of prepared.said) complain(line);
    const order = { ...request, correction: prepared.correction, operator };
    const isDone = options.dryRun
      ? await runDry(database, config, order, selection, feeds)
      : await runReplay(database, config, order, selection);
    // What an option would include was asked for and is not done.
    finish(isDone && selection.excluded.every(({ needs }) => needs === undefined));
  });
}

/** What the command line asks for. Throws ConfigError. */
function readRequest(ids: string[], options: ReplayOptions) {
  const { set = [], why, unverified, limit, rate, abortOver, dryRun: _dryRun, json, ...filters } = options;
  const selected = selectionOf(ids, filters);
  return fromOptions(() => ({
    selected,
    filter: replayFilter(selected, unverified === true),
    correction: readCorrection({ set }),
    why: why ?? null,
    limit: readCount('limit', limit) ?? null,
    rate: readRate('rate', rate) ?? null,
    abortOver: readPercent('abort-over', abortOver) ?? null,
    isJson: json === true,
  }));
}

type Request = ReturnType<typeof readRequest>;
type ReplayConfig = ReturnType<typeof readConfig<(typeof variables)[number]>>;

/** Says why a dead letter is excluded, and with which options it would be included. */
function withOptions({ id, why, needs }: Excluded): Skipped {
  const options = [
    ...(needs?.reason === undefined ? [] : [`--reason ${needs.reason}`]),
    ...(needs?.unverified ? ['--unverified'] : []),
  ];
  return { id, why: options.length === 0 ? why : `${why}; add ${options.join(' ')}` };
}

/** Returns whether all selected dead letters would be resolved. */
async function runDry(
  database: Database,
  config: ReplayConfig,
  { correction, isJson }: Request,
  { ids, excluded }: ReplaySelection,
  feeds: Feeds,
): Promise<boolean> {
  const result = await dryRun(ids, correction, database, config, feeds);
  const { rows, skipped } = result;
  const leftOut = excluded.map(withOptions);
  if (isJson) printJson({ rows, leftAlone: skipped, left_out: leftOut });
  else printDryRun(result, leftOut);
  return skipped.length === 0 && rows.every(({ code }) => code === '204');
}

/** Returns whether all selected dead letters were resolved. */
async function runReplay(
  { sql }: Database,
  config: ReplayConfig,
  order: Request & { operator: string },
  { ids, excluded }: ReplaySelection,
): Promise<boolean> {
  const publisher = await openReplayPublisher(brokerOf(config)).catch((error: unknown) => {
    throw brokerFailure(error, 'check AMQP_URL: amqp://user:password@host:5672/vhost');
  });
  const stop = new AbortController();
  const bar = openProgress(ids.length);
  const ignoreSignals = onStopSignal(() => {
    complain('');
    complain('stopping; waiting for replays in flight (Ctrl-C again to quit now)');
    // What has no result yet stays `replaying`, and the same command takes it up again.
    stop.abort();
  });
  try {
    const settings = { sql, maxBodyBytes: config.MAX_BODY_BYTES, stop: stop.signal };
    const progress = await replay(ids, order, {
      ...settings,
      publish: publisher.publish,
      onProgress: bar.update,
    });
    bar.stop();
    const { skipped, ...counts } = progress;
    const leftOut = excluded.map(withOptions);
    if (order.isJson) printJson({ ...counts, leftAlone: skipped, left_out: leftOut });
    else printReplay(progress, leftOut);
    const unsent = progress.selected - progress.sent - skipped.length;
    return progress.dead === 0 && progress.takenOver === 0 && unsent === 0;
  } catch (error) {
    throw brokerFailure(error, 'what was not sent stays "replaying": rerun the command to continue');
  } finally {
    bar.stop();
    ignoreSignals();
    await publisher.close();
  }
}

function brokerFailure(error: unknown, advice: string): unknown {
  return error instanceof BrokerError ? new CommandError(`${error.message}; ${advice}`) : error;
}
