import type { Command } from 'commander';
import { ConfigError, readConfig } from '../config.ts';
import { databaseVariables } from '../connections.ts';
import { counted } from '../plural.ts';
import { sleep } from '../retry.ts';
import type { Database } from '../store/database.ts';
import {
  monthsAgo,
  type Pruned,
  type PruneRules,
  pagesOfCalls,
  prunePages,
  prunePagesInTurn,
} from '../store/prune.ts';
import { retrying } from '../store/retrying.ts';
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
      'prune calls received more than this many months ago (those of open invoices are kept)',
    )
    .option('--uninvoiced', 'also calls that no invoice took: they cannot be put on one any more')
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
  uninvoiced?: boolean;
  dryRun?: boolean;
  json?: boolean;
}

async function run({
  months,
  uninvoiced: withUninvoiced = false,
  dryRun: isDryRun = false,
  json,
}: PruneOptions): Promise<void> {
  if (!/^\d{1,4}$/.test(months) || Number(months) < 1)
    throw new ConfigError(`--months: expected a whole number of at least 1, got "${months}"`);
  const config = readConfig(variables);
  await withDatabase(config, SESSION, async (database) => {
    const cutoff = await monthsAgo(database.sql, Number(months));
    const rules = { openStatuses: config.OPEN_INVOICE_STATUSES, withUninvoiced };
    const { calls, kept, uninvoiced } = await pruneAll(database, cutoff, isDryRun, rules);
    if (json) printJson({ cutoff, calls, kept, uninvoiced }, 0);
    else {
      const verb = isDryRun ? 'would be pruned' : 'pruned';
      printLine(`${counted(calls, 'call')} received before ${cutoff} ${verb}`);
      if (kept > 0) printLine(`${kept} kept: invoice still open`);
      if (uninvoiced > 0) printLine(`${uninvoiced} kept: no invoice took them (cdr-ingest invoice late)`);
    }
  });
}

/** One pass through the table as it is now; calls stored in the meantime are too young anyway. */
async function pruneAll(
  database: Database,
  cutoff: string,
  isDryRun: boolean,
  rules: PruneRules,
): Promise<Pruned> {
  const pages = await pagesOfCalls(database.sql);
  const total: Pruned = { calls: 0, kept: 0, uninvoiced: 0 };
  const prunePortion = (span: { from: number; to: number }) =>
    rules.withUninvoiced && !isDryRun
      ? prunePagesInTurn(database, cutoff, span, rules)
      : prunePages(database.sql, cutoff, span, isDryRun, rules);
  const bar = progressBar('{bar} {percentage} % | {calls} calls');
  bar.start(pages, 0, { calls: 0 });
  try {
    for (let from = 0; from < pages; from += PAGES) {
      const begun = performance.now();
      const { calls, kept, uninvoiced } = await retrying(
        () => prunePortion({ from, to: from + PAGES }),
        ATTEMPTS,
      );
      total.calls += calls;
      total.kept += kept;
      total.uninvoiced += uninvoiced;
      bar.update(Math.min(pages, from + PAGES), { calls: total.calls });
      if (calls > 0 && !isDryRun) await sleep((performance.now() - begun) * REST);
    }
  } finally {
    bar.stop();
  }
  return total;
}
