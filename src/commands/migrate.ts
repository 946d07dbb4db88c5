import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import { migrate } from '../store/migrate.ts';
import { printJson, printLine } from './print.ts';
import { databaseOf, databaseVariables } from './services.ts';

/** `migrate`: brings the database to the current schema. */
export function registerMigrate(program: Command): void {
  program
    .command('migrate')
    .description('brings the database to the current schema; safe to run twice and from several pods at once')
    .option('--json', 'prints the applied migrations as JSON')
    .action(async (options: { json?: boolean }) => {
      const { url, tls } = databaseOf(readConfig(databaseVariables));
      const applied = await migrate(url, { tls });
      if (options.json) printJson({ applied }, 0);
      else if (applied.length === 0) printLine('the database is up to date');
      else for (const name of applied) printLine(`applied ${name}`);
      // The schema engine leaves a timer of 10 s behind that would keep the process.
      process.exit(0);
    });
}
