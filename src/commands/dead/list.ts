import type { Command } from 'commander';
import { ConfigError, readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { exported } from '../../dead-letters/export.ts';
import { readCount } from '../../dead-letters/input.ts';
import {
  countDeadLetters,
  type DeadLetterFilter,
  type GroupField,
  groupDeadLetters,
  groupFields,
  readPage,
} from '../../store/dead-letters/list.ts';
import type { Sql } from '../../store/sql.ts';
import { withDatabase } from '../database.ts';
import { addUsage } from '../help.ts';
import { printJson, printLine, writeData } from '../print.ts';
import { addSelection, expectKnown, fromOptions, type SelectionOptions, selectionOf } from './options.ts';
import { deadSession } from './session.ts';
import { printGroups, printList } from './tables.ts';

const variables = [...databaseVariables, 'SYSTEM_CURRENCY'] as const;

/** Rows of a table without --limit. */
const TABLE_ROWS = 50;

/** `dead list`: the selected dead letters, or groups of them. */
export function registerList(dead: Command): void {
  const command = addSelection(dead.command('list'))
    .description('List dead letters, the latest death first')
    .option('--group-by <field>', `count, and sum the money at stake, by ${groupFields.join(', ')}`)
    .option('--limit <count>', `maximum rows, or groups with --group-by (default ${TABLE_ROWS} for a table)`)
    .option('--json', 'print JSON')
    .action(list);
  addUsage(command, {
    examples: [
      'cdr-ingest dead list --status dead --since 24h',
      'cdr-ingest dead list --reason rejected,conflict --limit 200',
      'cdr-ingest dead list --status dead --group-by customer --limit 10',
    ],
    environment: variables,
  });
}

interface ListOptions extends SelectionOptions {
  groupBy?: string;
  limit?: string;
  json?: boolean;
}

async function list(
  ids: string[],
  { groupBy, limit: limitText, json: isJson = false, ...options }: ListOptions,
): Promise<void> {
  const filter = selectionOf(ids, options);
  if (groupBy !== undefined && !isGroupField(groupBy))
    throw new ConfigError(
      `--group-by: expected one of ${groupFields.join(', ')}, got ${JSON.stringify(groupBy)}`,
    );
  const limit = fromOptions(() => readCount('limit', limitText));
  const config = readConfig(variables);
  await withDatabase(config, deadSession, async ({ sql }) => {
    await expectKnown(sql, filter);
    const wanted: Wanted = { filter, limit, isJson, systemCurrency: config.SYSTEM_CURRENCY };
    if (groupBy === undefined) await listDeadLetters(sql, wanted);
    else await listGroups(sql, groupBy, wanted);
  });
}

interface Wanted {
  filter: DeadLetterFilter;
  limit: number | undefined;
  isJson: boolean;
  systemCurrency: string;
}

async function listDeadLetters(sql: Sql, { filter, limit, isJson, systemCurrency }: Wanted): Promise<void> {
  if (isJson) {
    await writeData(exported(sql, filter, { format: 'json', systemCurrency, limit }));
    return;
  }
  const { deadLetters, next } = await readPage(sql, filter, limit ?? TABLE_ROWS);
  printList(deadLetters, systemCurrency);
  if (next === undefined) return;
  const all = await countDeadLetters(sql, filter);
  printLine(`Showing ${deadLetters.length} of ${all}. Use --limit for more, or "dead export" for all.`);
}

async function listGroups(
  sql: Sql,
  field: GroupField,
  { filter, limit, isJson, systemCurrency }: Wanted,
): Promise<void> {
  if (isJson) {
    printJson(await groupDeadLetters(sql, filter, field, systemCurrency, limit));
    return;
  }
  const most = limit ?? TABLE_ROWS;
  const groups = await groupDeadLetters(sql, filter, field, systemCurrency, most + 1);
  printGroups(field, groups.slice(0, most));
  if (groups.length > most)
    printLine(
      `Showing the ${most === 1 ? 'largest group' : `${most} largest groups`}. Use --limit for more.`,
    );
}

function isGroupField(text: string): text is GroupField {
  return (groupFields as string[]).includes(text);
}
