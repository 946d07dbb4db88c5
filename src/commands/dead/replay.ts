import type { Command } from 'commander';
import { ConfigError, readConfig } from '../../config.ts';
import { brokerOf } from '../../connections.ts';
import { readCorrection } from '../../dead-letters/correction.ts';
import type { Limits } from '../../dead-letters/pace.ts';
import { prepareReplay, resumeReplay, startReplay } from '../../dead-letters/prepare.ts';
import type { ReplayPublisher } from '../../dead-letters/replay-publisher.ts';
import { replayFilter, selectForReplay } from '../../dead-letters/selection.ts';
import { expectStorable, readCount, readPercent, readRate } from '../../input.ts';
import { feedsIn } from '../../sources-file.ts';
import type { Database } from '../../store/database.ts';
import { readConsequences } from '../../store/dead-letters/consequences.ts';
import { readReplayRow } from '../../store/replays/read.ts';
import { readDryRunSums } from '../../store/replays/sums.ts';
import { Feeds } from '../../worker/feeds.ts';
import { withDatabase } from '../database.ts';
import { CommandError, finish } from '../exit.ts';
import { addUsage } from '../help.ts';
import { complain, confirm, isWatched } from '../print.ts';
import { printConsequences } from './consequences.ts';
import { addSelection, expectKnown, expectSelective, fromOptions, selectionOf } from './options.ts';
import { bodyIn, expectAlone, idOfReplay, type ReplayOptions, repeated } from './replay-options.ts';
import { printSums, withOptions } from './results.ts';
import { openPublisher, type ReplayConfig, replayVariables, runDry, runHere } from './run-replay.ts';
import { deadSession, signIn } from './session.ts';

const POOL = 4;

/** `dead replay`: publishes dead letters again, in the operator's name. */
export function registerReplay(dead: Command): void {
  const command = addSelection(dead.command('replay'))
    .description('Replay dead letters; if interrupted, rerun the same command to continue, or --resume it')
    .option('--all', 'replay every dead letter that can be; needed without ids and filters')
    .option('--dry-run', 'only show what each would become and what would be charged')
    .option('--dry-run-id <id>', 'replay exactly what this dry run has tried')
    .option('--resume <id>', 'go on with a replay that was stopped, failed or was interrupted')
    .option('--set <name=value>', 'correct a parameter; may be repeated', repeated)
    .option('--rename <old=new>', 'rename a parameter, keeping its value; may be repeated', repeated)
    .option('--unset <name>', 'take a parameter out; may be repeated', repeated)
    .option('--body <file>', 'replace the body by this text; - reads standard input')
    .option('--unverified', 'include calls whose sender was not verified; you answer for them')
    .option('--why <text>', 'reason, kept in the history')
    .option('--limit <count>', 'maximum dead letters, the oldest deaths first')
    .option('--rate <count/s>', 'maximum per second, such as 50/s')
    .option('--abort-over <percent>', 'stop when more than this percentage is refused, such as 5%')
    .option('--yes', 'do not ask, as without a terminal')
    .option('--json', 'print JSON')
    .action(run);
  addUsage(command, {
    examples: [
      'cdr-ingest dead replay --key scustomer --dry-run',
      'cdr-ingest dead replay --dry-run-id 7 --rate 50/s --abort-over 5%',
      'cdr-ingest dead replay 42 --set scustomer=123 --why "typo in the switch"',
      'cdr-ingest dead replay --key cots --rename cots=cost --why "typo in the switch" --dry-run',
      'cdr-ingest dead replay --resume 7',
    ],
    environment: replayVariables,
  });
}

async function run(ids: string[], options: ReplayOptions): Promise<void> {
  if (options.dryRunId !== undefined || options.resume !== undefined) return await goOn(ids, options);
  const request = readRequest(ids, options);
  const config = readConfig(replayVariables);
  await withDatabase(config, { ...deadSession, poolSize: POOL }, async (database) => {
    const { sql } = database;
    const operator = await signIn(sql, config);
    await expectKnown(sql, request.selected);
    const feeds = new Feeds(feedsIn(config.SOURCES_FILE));
    const { letters, excluded, prepared } = await selectForReplay(sql, request.filter, request, feeds);
    if (prepared.kind === 'refused') throw new ConfigError(`--${prepared.problem}`);
    for (const line of prepared.said) complain(line);
    const order = { ...request, correction: prepared.correction, operator, program: 'command' as const };
    const asked = { leftOut: excluded.map(withOptions), isJson: request.isJson };
    if (options.dryRun) {
      const tried = await prepareReplay(database, { letters }, order, 'dry run');
      finish(await runDry(database, config, tried, feeds, asked));
    } else {
      const shown = letters.map(({ id }) => id);
      await expectAgreement(database, config, shown, options);
      const claim = () => prepareReplay(database, { letters }, order, 'replay');
      finish(await withPublisher(config, (publisher) => runHere(database, config, publisher, claim, asked)));
    }
    // What an option would include was asked for and is not done.
    if (excluded.some(({ needs }) => needs !== undefined)) finish(false);
  });
}

/** Replays a dry run, or resumes a replay. */
async function goOn(ids: string[], options: ReplayOptions): Promise<void> {
  const { dryRunId, resume, json: isJson = false } = options;
  expectAlone(ids, options);
  const id = idOfReplay(dryRunId === undefined ? 'resume' : 'dry-run-id', dryRunId ?? resume ?? '');
  const limits = limitsIn(options);
  const config = readConfig(replayVariables);
  await withDatabase(config, { ...deadSession, poolSize: POOL }, async (database) => {
    const operator = await signIn(database.sql, config);
    const order = { operator, program: 'command' as const, ...limits };
    const isReady = dryRunId !== undefined && (await readReplayRow(database.sql, id))?.startable === true;
    if (isReady && mayAsk(options)) {
      printSums(await readDryRunSums(database.sql, id));
      await ask(`Replay what dry run ${id} has tried?`);
    }
    const claim = () =>
      dryRunId === undefined ? resumeReplay(database, id, order) : startReplay(database, id, order);
    const asked = { leftOut: [], isJson };
    finish(await withPublisher(config, (publisher) => runHere(database, config, publisher, claim, asked)));
  });
}

/** What the command line asks for. Throws ConfigError. */
function readRequest(ids: string[], options: ReplayOptions) {
  const { set, rename, unset, body, why, unverified = false, limit, all, json } = options;
  const selected = selectionOf(ids, options);
  const text = body === undefined ? {} : { body: bodyIn(body) };
  const request = fromOptions(() => {
    if (why !== undefined) expectStorable('why', why);
    return {
      selected,
      filter: replayFilter(selected, unverified),
      unverified,
      correction: readCorrection({ set: set ?? [], rename: rename ?? [], unset: unset ?? [], ...text }),
      why: why?.trim() || null,
      limit: readCount('limit', limit) ?? null,
      ...limitsIn(options),
      isJson: json === true,
    };
  });
  expectSelective(selected, all);
  return request;
}

function limitsIn({ rate, abortOver }: ReplayOptions): Limits {
  return fromOptions(() => ({
    rate: readRate('rate', rate) ?? null,
    abortOver: readPercent('abort-over', abortOver) ?? null,
  }));
}

function mayAsk({ yes = false, json = false }: ReplayOptions): boolean {
  return !yes && !json && process.stdin.isTTY && isWatched();
}

/** On a terminal: shows whose calls these are and how much money they are about, and asks. */
async function expectAgreement(
  { sql }: Database,
  { SYSTEM_CURRENCY }: ReplayConfig,
  ids: readonly string[],
  options: ReplayOptions,
): Promise<void> {
  if (ids.length === 0 || !mayAsk(options)) return;
  printConsequences(await readConsequences(sql, { ids }, SYSTEM_CURRENCY), 'replayed');
  await ask('Replay them? A dry run (--dry-run) would say what becomes of each.');
}

async function ask(question: string): Promise<void> {
  if (await confirm(question)) return;
  complain('Nothing was done.');
  throw new CommandError('not replayed: the question was not answered with yes');
}

/** Nothing is on record of a replay for which there is no broker. */
async function withPublisher<Result>(
  config: ReplayConfig,
  work: (publisher: ReplayPublisher) => Promise<Result>,
): Promise<Result> {
  const publisher = await openPublisher(brokerOf(config));
  try {
    return await work(publisher);
  } finally {
    await publisher.close();
  }
}
