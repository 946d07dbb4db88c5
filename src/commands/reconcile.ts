import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import { databaseVariables } from '../connections.ts';
import { counted } from '../plural.ts';
import { type Reconciliation, reconcile } from '../store/reconcile.ts';
import { withDatabase } from './database.ts';
import { finish } from './exit.ts';
import { addUsage } from './help.ts';
import { printJson, printLine, printTable } from './print.ts';

const SESSION = { name: 'reconcile', statementTimeoutMs: 3_600_000 };

/** `reconcile`: proves from the database that every call was charged exactly once. */
export function registerReconcile(program: Command): void {
  const command = program
    .command('reconcile')
    .description('Prove from the database that every call was charged exactly once; exit 1 on drift')
    .option('--json', 'print the proofs as JSON')
    .action(run);
  addUsage(command, {
    examples: ['cdr-ingest reconcile', 'cdr-ingest reconcile --json'],
    environment: databaseVariables,
  });
}

async function run({ json }: { json?: boolean }): Promise<void> {
  await withDatabase(readConfig(databaseVariables), SESSION, async (database) => {
    const result = await reconcile(database);
    if (json) printJson(result);
    else print(result);
    finish(result.proofs.every(({ drift }) => drift === 0));
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
  for (const { currency, calls, corrections, cost, tax } of uninvoiced) {
    const corrected = corrections === 0 ? '' : ` and ${counted(corrections, 'correction')}`;
    printLine(`${counted(calls, 'uninvoiced call')}${corrected}: ${cost} ${currency} and ${tax} tax`);
  }
}
