import type { Command } from 'commander';
import { ConfigError, readConfig } from '../config.ts';
import { databaseOf, databaseVariables } from '../connections.ts';
import { retry, sleep } from '../retry.ts';
import { classifyFailure, describeFailure, openDatabase } from '../store/database.ts';
import { monthsAgo, type Pruned, pagesOfCalls, prunePages } from '../store/prune.ts';
import type { Sql } from '../store/sql.ts';
import { printJson, printLine, progressBar } from './print.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_MS = 60_000;
/** 1 MiB of the table, some 1,300 calls: a transaction of some tens of milliseconds. */
const PAGES = 128;
/** After each transaction it rests for as long as that took: the database has at least half of its time for others. */
const REST = 1;
const ATTEMPTS = 10;

/** `prune`: takes old calls out of the table in small transactions; stopped at any point, it loses nothing. */
export function registerPrune(program: Command): void {
  program
    .command('prune')
    .description('takes calls older than some months out of the table; sums and uniqueids stay')
    .requiredOption(
      '--months <number>',
      'calls received longer ago than this go, unless their invoice is open',
    )
    .option('--dry-run', 'only counts')
    .option('--json', 'prints the counts as JSON')
    .action(async (options: { months: string; dryRun?: boolean; json?: boolean }) => {
      const months = Number(options.months);
      if (!/^\d{1,4}$/.test(options.months) || months < 1)
        throw new ConfigError(`--months: expected a whole number of at least 1, got "${options.months}"`);
      const database = openDatabase({
        ...databaseOf(readConfig(databaseVariables)),
        poolSize: 1,
        statementTimeoutMs: STATEMENT_TIMEOUT_MS,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        applicationName: 'cdr-ingest prune',
      });
      try {
        const { sql } = database;
        const cutoff = await monthsAgo(sql, months);
        const { calls, kept } = await pruneAll(sql, cutoff, options.dryRun === true);
        const verb = options.dryRun ? 'would go' : 'have gone';
        if (options.json) printJson({ cutoff, calls, kept }, 0);
        else {
          printLine(`${calls} calls received before ${cutoff} ${verb}`);
          if (kept > 0) printLine(`${kept} stay: their invoices are open`);
        }
      } catch (error) {
        throw new Error(describeFailure(error), { cause: error });
      } finally {
        await database.close(CONNECT_TIMEOUT_MS);
      }
    });
}

/** Once through the table as it is now; what is stored meanwhile is too young to go. */
async function pruneAll(sql: Sql, cutoff: string, isDryRun: boolean): Promise<Pruned> {
  const pages = await pagesOfCalls(sql);
  const total: Pruned = { calls: 0, kept: 0 };
  const bar = progressBar('{bar} {percentage} % | {calls} calls');
  bar.start(pages, 0, { calls: 0 });
  try {
    for (let from = 0; from < pages; from += PAGES) {
      const begun = performance.now();
      const { calls, kept } = await persistently(() =>
        prunePages(sql, cutoff, { from, to: from + PAGES }, isDryRun),
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

/** Tries a span again that met an outage or a collision: it is one transaction, and repeating it is safe. */
function persistently<Result>(work: () => Promise<Result>): Promise<Result> {
  return retry(work, (error, attempt) => attempt < ATTEMPTS && classifyFailure(error) !== 'message');
}
