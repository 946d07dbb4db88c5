import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import { databaseOf, databaseVariables } from '../connections.ts';
import { openDatabase } from '../store/database.ts';
import { type Reconciliation, reconcile } from '../store/reconcile.ts';
import { printJson, printLine, printTable } from './print.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_MS = 3_600_000;

/** `reconcile`: proves from the database that nothing was charged twice or not at all; exits 1 on drift. */
export function registerReconcile(program: Command): void {
  program
    .command('reconcile')
    .description('proves from the database that nothing was charged twice or not at all; exits 1 on drift')
    .option('--json', 'prints the proofs as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const database = openDatabase({
        ...databaseOf(readConfig(databaseVariables)),
        poolSize: 1,
        statementTimeoutMs: STATEMENT_TIMEOUT_MS,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        applicationName: 'cdr-ingest reconcile',
      });
      try {
        const result = await reconcile(database);
        if (json) printJson(result);
        else print(result);
        process.exitCode = result.proofs.every(({ drift }) => drift === 0) ? 0 : 1;
      } finally {
        await database.close(CONNECT_TIMEOUT_MS);
      }
    });
}

function print({ proofs, uninvoiced }: Reconciliation): void {
  printTable(
    ['claim', 'examined', 'wrong'],
    proofs.map(({ claim, examined, drift }) => [claim, examined, drift]),
  );
  for (const { examples } of proofs) {
    for (const example of examples) {
      const fields = Object.entries(example).map(([name, value]) => `${name}=${value}`);
      printLine(`wrong: ${fields.join(' ')}`);
    }
  }
  for (const { currency, calls, cost, tax } of uninvoiced) {
    printLine(`${calls} calls that no invoice took: ${cost} ${currency} and ${tax} tax`);
  }
}
