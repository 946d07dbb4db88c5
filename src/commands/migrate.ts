import type { Command } from 'commander';
import { ConfigError, readConfig } from '../config.ts';
import { databaseOf, databaseVariables } from '../connections.ts';
import { DatabaseUrlError } from '../store/database.ts';
import { describeFailure } from '../store/failures.ts';
import { grant, type Part, parts } from '../store/grants.ts';
import { MigrationError, migrate } from '../store/migrate.ts';
import { refuseUnsuitable, UnsuitableDatabaseError } from '../store/suitability.ts';
import { printJson, printLine } from './print.ts';

/** `migrate`: brings the database to the current schema. */
export function registerMigrate(program: Command): void {
  program
    .command('migrate')
    .description('brings the database to the current schema; safe to run twice and from several pods at once')
    .option(
      '--grant <part=role...>',
      `gives a role of the database the least that a part needs: ${parts.join(', ')} (prisma/grants)`,
    )
    .option('--json', 'prints the applied migrations as JSON')
    .action(async (options: { json?: boolean; grant?: string[] }) => {
      const database = databaseOf(readConfig(databaseVariables));
      const { url, tls } = database;
      const grants = (options.grant ?? []).map(grantOf);
      // The schema engine's own lock belongs to a session: behind a pooler it would stay for ever.
      await refuseUnsuitable(database).catch((error: unknown) => {
        const isSaid = error instanceof UnsuitableDatabaseError || error instanceof DatabaseUrlError;
        throw isSaid ? error : new MigrationError(describeFailure(error));
      });
      const applied = await migrate(url, { tls });
      for (const { part, role } of grants) {
        await grant({ url, tls }, part, role).catch((error: unknown) => {
          throw new Error(`the grants of ${part} to ${role}: ${describeFailure(error)}`, { cause: error });
        });
      }
      if (options.json) printJson({ applied, granted: grants }, 0);
      else if (applied.length === 0) printLine('the database is up to date');
      else for (const name of applied) printLine(`applied ${name}`);
      // The schema engine leaves a timer of 10 s behind that would keep the process.
      process.exit(0);
    });
}

/** Throws ConfigError for anything but `part=role`. */
function grantOf(text: string): { part: Part; role: string } {
  const [name = '', ...rest] = text.split('=');
  const part = parts.find((one) => one === name);
  const role = rest.join('=');
  if (part === undefined || role === '')
    throw new ConfigError(
      `--grant: expected one of ${parts.join(', ')} with a role, such as worker=cdr_worker, got "${text}"`,
    );
  return { part, role };
}
