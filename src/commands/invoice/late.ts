import type { Command } from 'commander';
import { ConfigError, readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { timeOf } from '../../dead-letters/format.ts';
import { readCount, readTime } from '../../input.ts';
import { type LateFilter, type LateSum, type LateThing, listLate, sumLate } from '../../store/late/list.ts';
import { withDatabase } from '../database.ts';
import { customerOf } from '../dead/consequences.ts';
import { fromOptions } from '../dead/options.ts';
import { addUsage } from '../help.ts';
import { printJson, printLine, printTable } from '../print.ts';
import { idIn, invoiceSession } from './options.ts';

/** Rows of --calls without --limit. */
const ROWS = 50;

/** `invoice late`: what belongs on an invoice and none took. */
export function registerLate(invoice: Command): void {
  const command = invoice
    .command('late')
    .description('Sum up, or list, the calls and corrections that no invoice took')
    .option('--customer <id>', 'only of this customer')
    .option('--currency <code>', 'only in this currency (that of the call)')
    .option('--since <time>', 'only of calls that started at or after this time: 2h, 7d or ISO 8601')
    .option('--until <time>', 'only of calls that started before this time: 2h, 7d or ISO 8601')
    .option('--older-than <time>', 'the same as --until, such as 30d')
    .option('--calls', 'list them one by one, the oldest first')
    .option('--limit <count>', `maximum rows with --calls (default ${ROWS})`)
    .option('--json', 'print JSON')
    .action(late);
  addUsage(command, {
    examples: [
      'cdr-ingest invoice late',
      'cdr-ingest invoice late --customer 1 --calls',
      'cdr-ingest invoice late --older-than 30d --json',
    ],
    environment: databaseVariables,
  });
}

interface LateOptions {
  customer?: string;
  currency?: string;
  since?: string;
  until?: string;
  olderThan?: string;
  calls?: boolean;
  limit?: string;
  json?: boolean;
}

async function late(options: LateOptions): Promise<void> {
  const { calls: isList = false, limit, json: isJson = false } = options;
  const filter = filterOf(options);
  if (limit !== undefined && !isList) throw new ConfigError('--limit: expected with --calls');
  const rows = fromOptions(() => readCount('limit', limit)) ?? ROWS;
  await withDatabase(readConfig(databaseVariables), invoiceSession, async ({ sql }) => {
    if (!isList) {
      const sums = await sumLate(sql, filter);
      return isJson ? printJson(sums) : printSums(sums);
    }
    const things = await listLate(sql, filter, rows + 1);
    const shown = things.slice(0, rows);
    if (isJson) return printJson(shown);
    printThings(shown);
    if (things.length > rows) printLine(`Showing the oldest ${rows}. Use --limit for more.`);
  });
}

function filterOf({ customer, currency, since, until, olderThan }: LateOptions): LateFilter {
  if (until !== undefined && olderThan !== undefined)
    throw new ConfigError('--older-than: expected without --until, which means the same');
  if (currency !== undefined && !/^[A-Z]{3}$/.test(currency))
    throw new ConfigError(
      `--currency: expected three capital letters, such as USD, got ${JSON.stringify(currency)}`,
    );
  const now = new Date();
  const before = until ?? olderThan;
  const name = until === undefined ? 'older-than' : 'until';
  const id = idIn('customer', customer);
  return {
    ...(id !== undefined && { customer: id }),
    ...(currency !== undefined && { currency }),
    ...(since !== undefined && { since: fromOptions(() => readTime('since', since, now)) }),
    ...(before !== undefined && { until: fromOptions(() => readTime(name, before, now)) }),
  };
}

function printSums(sums: readonly LateSum[]): void {
  if (sums.length === 0) printLine('nothing is late: every call that belongs on an invoice is on one');
  else
    printTable(
      ['customer', 'calls', 'corrections', 'cost', 'tax', 'currency', 'oldest (UTC)'],
      sums.map(({ customer, name, calls, corrections, cost, tax, currency, oldest }) => [
        ...[customerOf(customer, name), calls, corrections, cost, tax, currency, timeOf(oldest)],
      ]),
    );
}

function printThings(things: readonly LateThing[]): void {
  if (things.length === 0) printLine('nothing is late');
  else
    printTable(
      ['start (UTC)', 'uniqueid', 'what', 'customer', 'cost', 'tax', 'currency'],
      things.map(({ start, uniqueid, entry, kind, customer, cost, tax, currency }) => [
        ...[timeOf(start), uniqueid, entry === null ? kind : `${kind} ${entry}`],
        ...[customer, cost, tax, currency],
      ]),
    );
}
