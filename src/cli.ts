#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { registerConsole } from './commands/console.ts';
import { registerDead } from './commands/dead/index.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerMigrate } from './commands/migrate.ts';
import { commanderOutput, complain, endWithReaders } from './commands/print.ts';
import { registerPrune } from './commands/prune.ts';
import { registerPublish } from './commands/publish.ts';
import { registerReconcile } from './commands/reconcile.ts';
import { registerSchema } from './commands/schema.ts';
import { registerTopology } from './commands/topology.ts';
import { registerUser } from './commands/user.ts';
import { registerWorker } from './commands/worker.ts';
import { ConfigError } from './config.ts';
import { DatabaseUrlError } from './store/database.ts';
import { UnsuitableDatabaseError } from './store/suitability.ts';

const USAGE = 2;

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('cdr-ingest')
  .description('Takes call detail records from RabbitMQ into PostgreSQL, exactly once, charged exactly once.')
  .version(version)
  .showHelpAfterError('(--help shows how to use it)')
  .configureOutput(commanderOutput)
  .exitOverride();

registerWorker(program);
registerMigrate(program);
registerTopology(program);
registerUser(program);
registerPublish(program);
registerDead(program);
registerConsole(program);
registerReconcile(program);
registerPrune(program);
registerDoctor(program);
registerSchema(program, version);

// Subcommands are made by their parents and would exit by themselves, with code 1 for wrong usage.
for (const command of commandsBelow(program)) command.exitOverride();

endWithReaders();

// Node would print what is thrown as it is, and messages hold texts from outside.
process.on('uncaughtException', (error: unknown) => {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  for (const line of text.split('\n')) complain(line);
  process.exit(1);
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function commandsBelow(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...commandsBelow(child)]);
}

/** One line for people, never a stack trace for what they can mend themselves. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  if (
    error instanceof ConfigError ||
    error instanceof DatabaseUrlError ||
    error instanceof UnsuitableDatabaseError
  ) {
    for (const line of error.message.split('\n')) complain(`cdr-ingest: ${line}`);
    return USAGE;
  }
  complain(`cdr-ingest: ${error instanceof Error ? error.message : String(error)}`);
  return 1;
}
