import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { PACKAGE_ROOT } from '../package-root.ts';
import { EXIT, exitCodeOf, isUsageError } from './exit.ts';
import { complain, endOutput, prepareOutput } from './print.ts';
import { createProgram } from './program.ts';

/** Runs the command that the arguments of this process name, and treats the process as its own. */
export async function run(argv: readonly string[]): Promise<void> {
  prepareOutput();
  process.on('uncaughtException', crash);
  await runCommand(argv.slice(2));
  await endOutput();
}

/**
 * Runs a command. It leaves the exit code in `process.exitCode`.
 *
 * @param args what follows `cdr-ingest` on the command line
 */
export async function runCommand(args: readonly string[]): Promise<void> {
  const { version } = JSON.parse(readFileSync(new URL('package.json', PACKAGE_ROOT), 'utf8')) as {
    version: string;
  };
  try {
    const program = await createProgram(version, args[0]);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    report(error);
    process.exitCode = exitCodeOf(error);
  }
}

/** Prints what went wrong; Commander has printed its own errors already. */
function report(error: unknown): void {
  if (error instanceof CommanderError) return;
  const message = error instanceof Error ? error.message : String(error);
  // Wrong configuration is a line for each variable. Elsewhere a line break is part of a text from outside.
  const lines = isUsageError(error) ? message.split('\n') : [message];
  for (const line of lines) complain(`cdr-ingest: ${line}`);
}

/** Prints the stack trace of a bug. Node would do so without escaping what the message quotes. */
function crash(error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  for (const line of text.split('\n')) complain(line);
  process.exit(EXIT.failed);
}
