import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { CommandError } from './exit.ts';
import { writeData } from './print.ts';

/** Opens a new file; an existing one is never overwritten. Throws CommandError. */
export async function newFile(path: string): Promise<Writable> {
  const stream = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  await once(stream, 'open').catch((error: unknown) => {
    throw outputError(error);
  });
  return stream;
}

/** Writes an export to a file, or to stdout. Throws CommandError where that cannot be written. */
export async function writeExport(chunks: AsyncIterable<string>, file: Writable | undefined): Promise<void> {
  await writeData(chunks, file).catch((error: unknown) => {
    throw isWriteError(error) ? outputError(error) : error;
  });
}

function outputError(error: unknown): CommandError {
  return new CommandError(`--output: ${error instanceof Error ? error.message : String(error)}`);
}

/** A full disk, for example. */
function isWriteError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'write';
}
