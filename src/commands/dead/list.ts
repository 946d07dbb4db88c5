import type { Command } from 'commander';
import { ConfigError, readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { exported, exportRows } from '../../dead-letters/export.ts';
import { type ExportColumn, exportColumns, readColumns } from '../../dead-letters/export-columns.ts';
import { readCount } from '../../input.ts';
import {
  countDeadLetters,
  type DeadLetterFilter,
  type GroupField,
  groupDeadLetters,
  groupFields,
  readPage,
} from '../../store/dead-letters/list.ts';
import { readProblems } from '../../store/dead-letters/problems.ts';
import { type Sort, sorts } from '../../store/dead-letters/sort.ts';
import type { Sql } from '../../store/sql.ts';
import { withDatabase } from '../database.ts';
import { addUsage } from '../help.ts';
import { printJson, printLine, writeData } from '../print.ts';
import { chosen } from './choice.ts';
import { printColumns, printGroups, printList, printProblems } from './lists.ts';
import { addSelection, expectKnown, fromOptions, type SelectionOptions, selectionOf } from './options.ts';
import { deadSession } from './session.ts';

const variables = [...databaseVariables, 'SYSTEM_CURRENCY'] as const;

/** Rows of a table without --limit. */
const TABLE_ROWS = 50;

/** A problem is a reason together with the parameter that the reply names first. */
const groupings = ['problem', ...groupFields] as const;

const formats = ['table', 'csv', 'json', 'lines'] as const;
type Format = (typeof formats)[number];

/** `dead list`: the selected dead letters, or groups of them. */
export function registerList(dead: Command): void {
  const command = addSelection(dead.command('list'))
    .description('List dead letters, the latest death first')
    .option('--sort <order>', `${sorts.join(', ')}: latest or oldest death, highest cost, or by customer`)
    .option('--group-by <field>', `count, and sum the money at stake, by ${groupings.join(', ')}`)
    .option('--columns <names>', `comma-separated: ${exportColumns.join(', ')}`)
    .option('--format <format>', `${formats.join(', ')} (default table)`)
    .option('--limit <count>', `maximum rows, or groups with --group-by (default ${TABLE_ROWS} for a table)`)
    .option('--json', 'print JSON, as --format json does')
    .action(list);
  addUsage(command, {
    examples: [
      'cdr-ingest dead list --status dead --since 24h',
      'cdr-ingest dead list --reason rejected,conflict --limit 200',
      'cdr-ingest dead list --status dead --group-by problem',
      'cdr-ingest dead list --status dead --group-by customer --limit 10',
      'cdr-ingest dead list --search "Old Mill" --sort cost --columns id,start,cnumber,cost,currency',
    ],
    environment: variables,
  });
}

interface ListOptions extends SelectionOptions {
  sort?: string;
  groupBy?: string;
  columns?: string;
  format?: string;
  limit?: string;
  json?: boolean;
}

async function list(ids: string[], options: ListOptions): Promise<void> {
  const { sort, groupBy, columns, format, limit, json, ...filters } = options;
  const filter = selectionOf(ids, filters);
  const grouping = groupBy === undefined ? undefined : chosen('group-by', groupBy, groupings);
  const wanted = {
    filter,
    sort: chosen('sort', sort ?? 'latest', sorts),
    columns: columns === undefined ? undefined : fromOptions(() => readColumns(columns)),
    limit: fromOptions(() => readCount('limit', limit)),
    format: formatOf(format, json),
  };
  if (grouping !== undefined) expectGroupable(wanted, sort);
  const config = readConfig(variables);
  const { SYSTEM_CURRENCY: systemCurrency } = config;
  await withDatabase(config, deadSession, async ({ sql }) => {
    await expectKnown(sql, filter);
    if (grouping === undefined) await listDeadLetters(sql, { ...wanted, systemCurrency });
    else if (grouping === 'problem') await listProblems(sql, { ...wanted, systemCurrency });
    else await listGroups(sql, grouping, { ...wanted, systemCurrency });
  });
}

interface Wanted {
  filter: DeadLetterFilter;
  sort: Sort;
  columns: readonly ExportColumn[] | undefined;
  limit: number | undefined;
  format: Format;
  systemCurrency: string;
}

function formatOf(format: string | undefined, isJson: boolean | undefined): Format {
  const named = format === undefined ? undefined : chosen('format', format, formats);
  if (isJson && named !== undefined && named !== 'json')
    throw new ConfigError(`--json and --format ${named}: expected one of them`);
  return isJson ? 'json' : (named ?? 'table');
}

/** Groups have columns and an order of their own. */
function expectGroupable({ columns, format }: Pick<Wanted, 'columns' | 'format'>, sort: string | undefined) {
  if (columns !== undefined) throw new ConfigError('--columns: expected without --group-by');
  if (sort !== undefined)
    throw new ConfigError('--sort: expected without --group-by, whose largest group is first');
  if (format !== 'table' && format !== 'json')
    throw new ConfigError(`--format: expected table or json with --group-by, got ${format}`);
}

async function listDeadLetters(sql: Sql, wanted: Wanted): Promise<void> {
  const { filter, sort, columns, limit, format, systemCurrency } = wanted;
  if (format !== 'table') {
    await writeData(exported(sql, filter, { format, sort, columns, limit, systemCurrency }));
    return;
  }
  const { deadLetters, next } = await readPage(sql, filter, limit ?? TABLE_ROWS, { sort });
  if (columns === undefined) printList(deadLetters, systemCurrency);
  else printColumns(columns, await exportRows(sql, deadLetters, systemCurrency));
  if (next === undefined) return;
  const all = await countDeadLetters(sql, filter);
  printLine(`Showing ${deadLetters.length} of ${all}. Use --limit for more, or "dead export" for all.`);
}

async function listProblems(sql: Sql, { filter, limit, format, systemCurrency }: Wanted): Promise<void> {
  const problems = await readProblems(sql, filter, systemCurrency);
  if (format === 'json') printJson(problems.slice(0, limit));
  else shorten(problems, limit, printProblems);
}

async function listGroups(
  sql: Sql,
  field: GroupField,
  { filter, limit, format, systemCurrency }: Wanted,
): Promise<void> {
  if (format === 'json') {
    printJson(await groupDeadLetters(sql, filter, field, systemCurrency, limit));
    return;
  }
  const groups = await groupDeadLetters(sql, filter, field, systemCurrency, (limit ?? TABLE_ROWS) + 1);
  shorten(groups, limit, (shown) => printGroups(field, shown));
}

/** Prints as many groups as were asked for, and says so where there are more. */
function shorten<Group>(
  groups: readonly Group[],
  limit: number = TABLE_ROWS,
  print: (groups: readonly Group[]) => void,
): void {
  print(groups.slice(0, limit));
  if (groups.length > limit)
    printLine(
      `Showing the ${limit === 1 ? 'largest group' : `${limit} largest groups`}. Use --limit for more.`,
    );
}
