import { Command } from 'commander';
import { registerConsole } from './console.ts';
import { registerDead } from './dead/index.ts';
import { registerDoctor } from './doctor.ts';
import { addUsage } from './help.ts';
import { registerMigrate } from './migrate.ts';
import { commanderOutput } from './print.ts';
import { registerPrune } from './prune.ts';
import { registerPublish } from './publish.ts';
import { registerReconcile } from './reconcile.ts';
import { registerSchema } from './schema.ts';
import { registerTopology } from './topology.ts';
import { registerUser } from './user.ts';
import { registerWorker } from './worker.ts';

/** `cdr-ingest` with all its commands. Wrong usage throws CommanderError. */
export function createProgram(version: string): Command {
  const program = new Command('cdr-ingest')
    .description(
      'Store call detail records from RabbitMQ in PostgreSQL, exactly once, and charge them exactly once.',
    )
    .version(version)
    .showHelpAfterError('(run with --help for usage)')
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
  addUsage(program, {
    examples: [
      'cdr-ingest migrate && cdr-ingest topology',
      'cdr-ingest user add switch-1 --role system',
      'cdr-ingest worker',
      'cdr-ingest dead list --help',
    ],
  });
  program.addHelpText(
    'after',
    '\nExit codes: 0 success; 1 failed, or found something wrong; 2 wrong usage or configuration.',
  );
  return program;
}
