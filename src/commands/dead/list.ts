import type { Command } from 'commander';
import { ConfigError, readConfig } from '../../config.ts';
import { readDeadLetterView } from '../../dead-letters/history.ts';
import { readCount } from '../../dead-letters/input.ts';
import {
  countDeadLetters,
  type GroupField,
  groupDeadLetters,
  groupFields,
  readPage,
} from '../../store/dead-letters/list.ts';
import { printLine } from '../print.ts';
import { writeAll } from './export.ts';
import {
  asOperator,
  expectKnown,
  printJson,
  type SelectionOptions,
  SelectionRefused,
  selectionOf,
  usage,
  withSelection,
} from './options.ts';
import { printDeadLetter, printGroups, printList } from './tables.ts';

const PAGE = 50;

/** `dead list` and `dead show`: looking needs the database only. */
export function registerLook(dead: Command): void {
  withSelection(dead.command('list'))
    .description('shows dead letters, the latest death first')
    .option('--group-by <field>', `counts and the money at stake by ${groupFields.join(', ')}`)
    .option('--limit <count>', `at most so many; a table shows ${PAGE} without it`)
    .option('--json', 'prints JSON')
    .action(list);

  dead
    .command('show')
    .argument('<id>', 'the dead letter')
    .description('shows the call, the reply it got, its history and the call stored under its uniqueid')
    .option('--json', 'prints JSON')
    .action(async (id: string, { json }: { json?: boolean }) => {
      const [only = ''] = selectionOf([id], {}).ids ?? [];
      const { SYSTEM_CURRENCY } = readConfig(['SYSTEM_CURRENCY']);
      await asOperator(2, async ({ sql }) => {
        const found = await readDeadLetterView(sql, only, SYSTEM_CURRENCY);
        if (found === undefined) throw new SelectionRefused(`there is no dead letter ${only}`);
        if (json) {
          const { deadLetter, ...rest } = found;
          printJson({ ...deadLetter, ...rest });
        } else printDeadLetter(found);
      });
    });
}

interface ListOptions extends SelectionOptions {
  groupBy?: string;
  limit?: string;
  json?: boolean;
}

async function list(ids: string[], { groupBy, limit, json, ...options }: ListOptions): Promise<void> {
  const filter = selectionOf(ids, options);
  if (groupBy !== undefined && !isGroupField(groupBy)) {
    throw new ConfigError(
      `--group-by: expected one of ${groupFields.join(', ')}, got ${JSON.stringify(groupBy)}`,
    );
  }
  const most = usage(() => readCount('limit', limit));
  const { SYSTEM_CURRENCY } = readConfig(['SYSTEM_CURRENCY']);
  await asOperator(2, async ({ sql }) => {
    await expectKnown(sql, filter);
    if (groupBy !== undefined) {
      const groups = await groupDeadLetters(sql, filter, groupBy, SYSTEM_CURRENCY);
      if (json) printJson(groups);
      else printGroups(groupBy, groups);
    } else if (json) {
      await writeAll(sql, filter, 'array', most);
    } else {
      const { deadLetters, next } = await readPage(sql, filter, most ?? PAGE);
      printList(deadLetters, SYSTEM_CURRENCY);
      if (next === undefined) return;
      const all = await countDeadLetters(sql, filter);
      printLine(`${deadLetters.length} of ${all}: --limit shows more, --group-by counts, export has all`);
    }
  });
}

function isGroupField(text: string): text is GroupField {
  return (groupFields as string[]).includes(text);
}
