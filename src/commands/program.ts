import { Command } from 'commander';
import { addUsage } from './help.ts';
import { commanderOutput } from './print.ts';

type Register = (program: Command, version: string) => void;

/** Each command is a module that is loaded when it is needed: all of them take half a second of CPU. */
const COMMANDS: Record<string, () => Promise<Register>> = {
  worker: async () => (await import('./worker.ts')).registerWorker,
  migrate: async () => (await import('./migrate.ts')).registerMigrate,
  topology: async () => (await import('./topology.ts')).registerTopology,
  user: async () => (await import('./user.ts')).registerUser,
  publish: async () => (await import('./publish/index.ts')).registerPublish,
  source: async () => (await import('./source/index.ts')).registerSource,
  dead: async () => (await import('./dead/index.ts')).registerDead,
  call: async () => (await import('./call/index.ts')).registerCall,
  invoice: async () => (await import('./invoice/index.ts')).registerInvoice,
  console: async () => (await import('./console.ts')).registerConsole,
  reconcile: async () => (await import('./reconcile.ts')).registerReconcile,
  prune: async () => (await import('./prune.ts')).registerPrune,
  doctor: async () => (await import('./doctor/index.ts')).registerDoctor,
  schema: async () => (await import('./schema.ts')).registerSchema,
};

/**
 * `cdr-ingest` with its commands. Wrong usage throws CommanderError.
 *
 * @param only the first argument: if it names a command, no other command is loaded
 */
export async function createProgram(version: string, only = ''): Promise<Command> {
  const program = new Command('cdr-ingest')
    .description(
      'Store call detail records from RabbitMQ in PostgreSQL, exactly once, and charge them exactly once.',
    )
    .version(version)
    .showHelpAfterError('(run with --help for usage)')
    .configureOutput(commanderOutput)
    .exitOverride();
  const names = Object.hasOwn(COMMANDS, only) ? [only] : Object.keys(COMMANDS);
  for (const register of await Promise.all(names.map((name) => COMMANDS[name]?.())))
    register?.(program, version);
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
