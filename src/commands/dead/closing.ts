import type { Command } from 'commander';
import { type Config, ConfigError, readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { counted } from '../../plural.ts';
import type { Closed, Closing } from '../../store/dead-letters/close.ts';
import { type Consequences, readConsequences } from '../../store/dead-letters/consequences.ts';
import { countDeadLetters, type DeadLetterFilter } from '../../store/dead-letters/list.ts';
import { selectLetters } from '../../store/dead-letters/mark.ts';
import type { Sql } from '../../store/sql.ts';
import { withDatabase } from '../database.ts';
import { CommandError } from '../exit.ts';
import { complain, confirm, isWatched, printJson, printLine } from '../print.ts';
import { printConsequences } from './consequences.ts';
import { expectKnown, expectSelective, reasonIn, type SelectionOptions, selectionOf } from './options.ts';
import { deadSession, operatorVariables, signIn } from './session.ts';

export const closingVariables = [...databaseVariables, ...operatorVariables, 'SYSTEM_CURRENCY'] as const;

export interface ClosingOptions extends SelectionOptions {
  why?: string;
  all?: boolean;
  yes?: boolean;
  json?: boolean;
}

/** Discarding or reopening: the same two steps, what will happen and then exactly that. */
export interface Act {
  verb: 'discard' | 'reopen';
  participle: 'discarded' | 'reopened';
  /** What can be done of a selection. */
  within: (filter: DeadLetterFilter) => DeadLetterFilter;
  /** Why the rest of it is left alone. */
  leftAlone: string;
  run: (sql: Sql, filter: DeadLetterFilter, closing: Closing) => Promise<Closed>;
}

export function addClosingOptions(command: Command, verb: Act['verb']): Command {
  return command
    .option('--why <text>', 'reason, kept in the history; needed')
    .option('--all', `${verb} everything that can be; needed without ids and filters`)
    .option('--yes', 'do it without asking; needed without a terminal')
    .option('--json', 'print JSON');
}

/** Shows what would happen, asks, and does it to exactly the dead letters that were shown. */
export async function close(ids: string[], options: ClosingOptions, act: Act): Promise<void> {
  const { why, all, yes = false, json: isJson = false, ...filters } = options;
  const filter = selectionOf(ids, filters);
  expectSelective(filter, all);
  const config = readConfig(closingVariables);
  await withDatabase(config, deadSession, async ({ sql }) => {
    const by = await signIn(sql, config);
    await expectKnown(sql, filter);
    const closing = { by, why: reasonIn(why), program: 'command' as const };
    const wanted = await frozen(sql, filter, act, config);
    if (wanted.consequences.count > 0 && !(await isAgreed(wanted, act, { yes, isJson }))) {
      complain('Nothing was done.');
      throw new CommandError(`not ${act.participle}: the question was not answered with yes`);
    }
    const { fingerprint } = wanted.consequences;
    const closed = await act.run(sql, wanted.filter, { ...closing, expected: fingerprint });
    if (closed.kind === 'changed')
      throw new CommandError('somebody changed these dead letters since they were counted; nothing was done');
    report(closed.count, wanted, act, isJson);
    if (ids.length > 0 && wanted.leftAlone > 0)
      throw new CommandError(
        `${wanted.leftAlone} of the given ids could not be ${act.participle} (${act.leftAlone})`,
      );
  });
}

interface Wanted {
  /** By ids: what dies meanwhile is not in it. */
  filter: DeadLetterFilter;
  ids: readonly string[];
  leftAlone: number;
  consequences: Consequences;
}

async function frozen(
  sql: Sql,
  filter: DeadLetterFilter,
  act: Act,
  { SYSTEM_CURRENCY }: Pick<Config, 'SYSTEM_CURRENCY'>,
): Promise<Wanted> {
  const selected = await countDeadLetters(sql, filter);
  const ids = (await selectLetters(sql, act.within(filter), null)).map(({ id }) => id);
  const shown = { ...filter, ids };
  const consequences = await readConsequences(sql, act.within(shown), SYSTEM_CURRENCY);
  return { filter: shown, ids, leftAlone: Math.max(0, selected - ids.length), consequences };
}

async function isAgreed(
  { consequences }: Wanted,
  { verb, participle }: Act,
  { yes, isJson }: { yes: boolean; isJson: boolean },
): Promise<boolean> {
  const subject = counted(consequences.count, 'dead letter');
  if (!yes && !(process.stdin.isTTY && isWatched()))
    throw new ConfigError(
      `--yes: expected, because nobody can be asked here; ${subject} would be ${participle}`,
    );
  if (!isJson) printConsequences(consequences, participle);
  return yes || (await confirm(`${verb === 'discard' ? 'Discard' : 'Reopen'} ${subject}?`));
}

/** More ids than this do not fit into a command that people copy. */
const IDS_SHOWN = 20;

function report(count: number, { leftAlone, ids }: Wanted, act: Act, isJson: boolean): void {
  if (isJson) {
    printJson({ [act.participle]: count, left_alone: leftAlone });
    return;
  }
  printLine(`${counted(count, 'dead letter')} ${act.participle}`);
  if (leftAlone > 0) printLine(`${leftAlone} skipped (${act.leftAlone})`);
  if (act.verb === 'reopen' || count === 0) return;
  const again = ids.length <= IDS_SHOWN ? ids.join(' ') : 'with the same filters';
  printLine(`To undo it: cdr-ingest dead reopen ${again} --why "…"`);
}
