import type { Command } from 'commander';
import { readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { timeOf } from '../../dead-letters/format.ts';
import { stopReplay } from '../../dead-letters/prepare.ts';
import { readCount } from '../../input.ts';
import { lettersOnly, type ReplayLetter, readReplayLetters } from '../../store/replays/letters.ts';
import { type ReplayRow, readReplay, readReplays } from '../../store/replays/read.ts';
import { readDryRunSums } from '../../store/replays/sums.ts';
import type { Sql } from '../../store/sql.ts';
import { withDatabase } from '../database.ts';
import { CommandError } from '../exit.ts';
import { addUsage } from '../help.ts';
import { printJson, printLine, printTable } from '../print.ts';
import { chosen } from './choice.ts';
import { fromOptions } from './options.ts';
import { idOfReplay } from './replay-options.ts';
import { printSums } from './results.ts';
import { deadSession, operatorVariables, signIn } from './session.ts';

const stopVariables = [...databaseVariables, ...operatorVariables] as const;
const SHOWN = '50';

/** `dead replays`: what was replayed and tried out, by command and console alike. */
export function registerReplays(dead: Command): void {
  const command = dead
    .command('replays')
    .argument('[id]', 'a replay or a dry run: also its letters')
    .description('List replays and dry runs, of commands and of the console, the latest first')
    .option('--only <what>', `of one: only letters that are ${lettersOnly.join(', ')}`)
    .option('--limit <count>', 'maximum rows', SHOWN)
    .option('--json', 'print JSON')
    .action(replays);
  addUsage(command, {
    examples: ['cdr-ingest dead replays', 'cdr-ingest dead replays 7 --only refused'],
    environment: databaseVariables,
  });
}

/** `dead stop`: stops a replay or a dry run, whichever process runs it. */
export function registerStop(dead: Command): void {
  const command = dead
    .command('stop')
    .argument('<id>', 'a replay or a dry run')
    .description('Stop a replay, wherever it runs; "dead replay --resume" goes on with it')
    .action(stop);
  addUsage(command, { examples: ['cdr-ingest dead stop 7'], environment: stopVariables });
}

interface ReplaysOptions {
  only?: string;
  limit: string;
  json?: boolean;
}

async function replays(given: string | undefined, { only, limit, json }: ReplaysOptions): Promise<void> {
  const rows = fromOptions(() => readCount('limit', limit)) ?? Number(SHOWN);
  const id = given === undefined ? undefined : idOfReplay('id', given);
  const wanted = only === undefined ? undefined : chosen('only', only, lettersOnly);
  await withDatabase(readConfig(databaseVariables), { ...deadSession, poolSize: 1 }, async ({ sql }) => {
    if (id === undefined) {
      const found = await readReplays(sql, { limit: rows });
      if (json) printJson(found);
      else printTable(HEAD, found.map(replayRow));
      return;
    }
    const row = await readReplay(sql, id);
    if (row === undefined) throw new CommandError(`there is no replay ${id}`);
    const letters = await readReplayLetters(sql, id, { limit: rows, only: wanted });
    if (json) printJson({ ...row, letters });
    else await printOne(sql, row, letters);
  });
}

const HEAD = ['id', 'started (UTC)', 'by', 'state', 'selected', 'resolved', 'refused', 'skipped', 'why'];

function replayRow({ id, kind, state, created_at, started_at, operator, ...row }: ReplayRow) {
  const { selected, resolved, refused, skipped, why, problem } = row;
  const states = [
    kind === 'dry run' ? `dry run, ${stateOf(state)}` : state,
    ...(problem === null ? [] : [problem]),
  ];
  const numbers = [selected, ...(kind === 'dry run' ? ['', ''] : [resolved, refused]), skipped];
  return [id, timeOf(started_at ?? created_at), operator, states, ...numbers, why ?? ''];
}

function stateOf(state: ReplayRow['state']): string {
  if (state === 'trying') return 'under way';
  return state === 'tried' ? 'complete' : state;
}

async function printOne(sql: Sql, row: ReplayRow, letters: readonly ReplayLetter[]): Promise<void> {
  printTable(HEAD, [replayRow(row)]);
  for (const [name, value] of [
    ['selected by', row.filter],
    ['correction', row.correction],
  ] as const)
    if (Object.keys(value).length > 0) printLine(`${name}: ${JSON.stringify(value)}`);
  if (row.kind === 'dry run') printSums(await readDryRunSums(sql, row.id));
  printTable(['id', 'uniqueid', 'result', 'reply'], letters.map(letterRow));
  if (row.resumable) printLine(`To go on with it: cdr-ingest dead replay --resume ${row.id}`);
  if (row.startable) printLine(`To replay exactly this: cdr-ingest dead replay --dry-run-id ${row.id}`);
}

function letterRow({ id, uniqueid, result, becomes, skipped, responses }: ReplayLetter) {
  const reply = responses.map(
    ({ code, key, message }) => `${code} ${key === '' ? '' : `${key}: `}${message}`,
  );
  return [id, uniqueid ?? '', becomes ?? result, skipped === null ? reply : [skipped]];
}

async function stop(given: string): Promise<void> {
  const id = idOfReplay('id', given);
  const config = readConfig(stopVariables);
  await withDatabase(config, deadSession, async ({ sql }) => {
    const problem = await stopReplay(sql, id, await signIn(sql, config), 'command');
    if (problem !== null) throw new CommandError(problem);
    printLine(
      `${id} is being stopped: what is in flight is waited for. To go on: cdr-ingest dead replay --resume ${id}`,
    );
  });
}
