import { CommanderError } from 'commander';
import { ConfigError } from '../config.ts';
import { ListenError } from '../ops/bounded-server.ts';
import { DatabaseUrlError } from '../store/database.ts';
import { UnsuitableDatabaseError } from '../store/suitability.ts';

/** The exit codes of every command. */
export const EXIT = {
  done: 0,
  /** The work could not be done, or it found something wrong. */
  failed: 1,
  /** Wrong usage or configuration; nothing was done. */
  usage: 2,
  /** Whoever read the results has gone: what a shell reports for SIGPIPE. */
  readerGone: 141,
} as const;

/** A failure that its message explains in full: printed without a stack trace, exit code 1. */
export class CommandError extends Error {}

const USAGE_ERRORS = [ConfigError, DatabaseUrlError, UnsuitableDatabaseError];

/** Whether other options or settings are needed; exit code 2. Each line of the message is one problem. */
export function isUsageError(error: unknown): boolean {
  return USAGE_ERRORS.some((kind) => error instanceof kind);
}

/** Whether the message of this error is meant for the user as it is. */
export function isExplained(error: unknown): boolean {
  return error instanceof CommandError || error instanceof ListenError || isUsageError(error);
}

/** The exit code of a command that ended with this error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  return isUsageError(error) ? EXIT.usage : EXIT.failed;
}

/** Lets a command end with code 0 where everything went as asked, else 1. */
export function finish(isGood: boolean): void {
  process.exitCode = isGood ? EXIT.done : EXIT.failed;
}
