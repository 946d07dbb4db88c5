import type { Command } from 'commander';
import { ConfigError, readConfig } from '../config.ts';
import { databaseOf, databaseVariables } from '../connections.ts';
import { counted } from '../plural.ts';
import { fillDeadLetters } from '../store/dead-letters/fill.ts';
import { describeFailure } from '../store/failures.ts';
import { grant, type Part, parts } from '../store/grants.ts';
import { migrate } from '../store/migrate.ts';
import { refuseUnsuitable } from '../store/suitability.ts';
import { databaseError, withDatabase } from './database.ts';
import { CommandError } from './exit.ts';
import { addUsage } from './help.ts';
import { printJson, printLine } from './print.ts';
import { onStopSignal } from './signals.ts';

const FILLING = { name: 'migrate', statementTimeoutMs: 60_000 };

/** `migrate`: brings the database to the current schema. */
export function registerMigrate(program: Command): void {
  const command = program
    .command('migrate')
    .description('Migrate the database to the current schema; safe to repeat and to run concurrently')
    .option(
      '--grant <part=role...>',
      `grant a database role the least rights that a part needs: ${parts.join(', ')} (prisma/grants)`,
    )
    .option('--json', 'print the applied migrations as JSON')
    .action(run);
  addUsage(command, {
    examples: [
      'cdr-ingest migrate',
      'cdr-ingest migrate --grant worker=cdr_worker console=cdr_console upkeep=cdr_upkeep',
    ],
    environment: databaseVariables,
  });
}

async function run(options: { json?: boolean; grant?: string[] }): Promise<void> {
  const config = readConfig(databaseVariables);
  const database = databaseOf(config);
  const grants = (options.grant ?? []).map(grantOf);
  // The lock belongs to a session: a pooler that gives each transaction another one would keep it for ever.
  await refuseUnsuitable(database).catch((error: unknown) => {
    throw databaseError(error);
  });
  const stopping = new AbortController();
  const endSignals = onStopSignal(() => stopping.abort());
  const applied = await migrate(database.url, { ...database, signal: stopping.signal }).finally(endSignals);
  for (const { part, role } of grants) {
    await grant(database, part, role).catch((error: unknown) => {
      throw new CommandError(`cannot grant the rights of ${part} to ${role}: ${describeFailure(error)}`, {
        cause: error,
      });
    });
  }
  // Not within a migration, which would lock all rows at once.
  const filled = await withDatabase(config, FILLING, ({ sql }) => fillDeadLetters(sql));
  if (options.json) printJson({ applied, granted: grants, filled }, 0);
  else {
    if (applied.length === 0) printLine('the database is up to date');
    for (const name of applied) printLine(`applied ${name}`);
    if (filled > 0) printLine(`${counted(filled, 'older dead letter')} can be searched and grouped now`);
  }
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
