import type { Command } from 'commander';
import { ConfigError, readConfig } from '../config.ts';
import { databaseVariables } from '../connections.ts';
import { counted } from '../plural.ts';
import { sleep } from '../retry.ts';
import { monthsAgo, type Pruned, pagesOfCalls, prunePages } from '../store/prune.ts';
import { retrying } from '../store/retrying.ts';
import type { Sql } from '../store/sql.ts';
import { withDatabase } from './database.ts';
import { addUsage } from './help.ts';
import { printJson, printLine, progressBar } from './print.ts';

const variables = [...databaseVariables, 'OPEN_INVOICE_STATUSES'] as const;

const SESSION = { name: 'prune', statementTimeoutMs: 60_000 };
/** 1 MiB of the table, about 1,300 calls: a transaction of tens of milliseconds. */
const PAGES = 128;
/** The rest after each transaction, as a multiple of its duration: at least half of the time is left for others. */
const REST = 1;
const ATTEMPTS = 10;

/** `prune`: removes old calls from the table in small transactions. It may be stopped at any point. */
export function registerPrune(program: Command): void {
  const command = program
    .command('prune')
    .description('Prune old calls from the table; their sums and uniqueids are kept')
    .requiredOption(
      '--months <number>',
      'prune calls received more than this many months ago (open invoices are kept)',
    )
    .option('--dry-run', 'only count them')
    .option('--json', 'print the counts as JSON')
    .action(run);
  addUsage(command, {
    examples: ['cdr-ingest prune --months 24 --dry-run', 'cdr-ingest prune --months 24'],
    environment: variables,
  });
}

interface PruneOptions {
  months: string;
  dryRun?: boolean;
  json?: boolean;
}

async function run({ months, dryRun: isDryRun = false, json }: PruneOptions): Promise<void> {
  if (!/^\d{1,4}$/.test(months) || Number(months) < 1)
    throw new ConfigError(`--months: expected a whole number of at least 1, got "${months}"`);
  const config = readConfig(variables);
  await withDatabase(config, SESSION, async ({ sql }) => {
    const cutoff = await monthsAgo(sql, Number(months));
    const { calls, kept } = await pruneAll(sql, cutoff, isDryRun, config.OPEN_INVOICE_STATUSES);
    if (json) printJson({ cutoff, calls, kept }, 0);
    else {
      const verb = isDryRun ? 'would be pruned' : 'pruned';
      printLine(`${counted(calls, 'call')} received before ${cutoff} ${verb}`);
      if (kept > 0) printLine(`${kept} kept: invoice still open`);
    }
  });
}

/** One pass through the table as it is now; calls stored in the meantime are too young anyway. */
async function pruneAll(
  sql: Sql,
  cutoff: string,
  isDryRun: boolean,
  openStatuses: readonly string[],
): Promise<Pruned> {
  const pages = await pagesOfCalls(sql);
  const total: Pruned = { calls: 0, kept: 0 };
  const bar = progressBar('{bar} {percentage} % | {calls} calls');
  bar.start(pages, 0, { calls: 0 });
  try {
    for (let from = 0; from < pages; from += PAGES) {
      const begun = performance.now();
      const { calls, kept } = await retrying(
        () => prunePages(sql, cutoff, { from, to: from + PAGES }, isDryRun, openStatuses),
        ATTEMPTS,
      );
      total.calls += calls;
      total.kept += kept;
      bar.update(Math.min(pages, from + PAGES), { calls: total.calls });
      if (calls > 0 && !isDryRun) await sleep((performance.now() - begun) * REST);
    }
  } finally {
    bar.stop();
  }
  return total;
}
