import type { Command } from 'commander';
import { listed } from '../../calls/listed.ts';
import { readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { readCount } from '../../input.ts';
import { findCalls } from '../../store/calls/find.ts';
import { withDatabase } from '../database.ts';
import { fromOptions } from '../dead/options.ts';
import { addUsage } from '../help.ts';
import { printJson, printLine } from '../print.ts';
import { addFilters, callSession, type FilterOptions, filterOf } from './options.ts';
import { printCalls } from './tables.ts';

/** Rows without --limit. */
const ROWS = 50;

/** `call find`: the stored calls that match. */
export function registerFind(call: Command): void {
  const command = addFilters(call.command('find'))
    .description('Find stored calls, the latest start first')
    .option('--limit <count>', `maximum rows (default ${ROWS})`)
    .option('--json', 'print JSON, with every parameter')
    .action(find);
  addUsage(command, {
    examples: [
      'cdr-ingest call find --customer 1 --since 2026-03-01 --until 2026-04-01',
      'cdr-ingest call find --number "+44 20 7946 0000" --since 7d',
      'cdr-ingest call find --customer 1 --charged 100.. --json',
    ],
    environment: databaseVariables,
  });
}

interface FindOptions extends FilterOptions {
  limit?: string;
  json?: boolean;
}

async function find({ limit, json, ...filters }: FindOptions): Promise<void> {
  const filter = filterOf(filters);
  const rows = fromOptions(() => readCount('limit', limit)) ?? ROWS;
  await withDatabase(readConfig(databaseVariables), callSession, async ({ sql }) => {
    const { calls, next } = await findCalls(sql, filter, { limit: rows });
    const found = await listed(sql, calls);
    if (json) printJson(found);
    else printCalls(found);
    if (!json && next !== undefined) printLine(`Showing the latest ${calls.length}. Use --limit for more.`);
  });
}
