import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import type { Command } from 'commander';
import { ConfigError, readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { exported } from '../../dead-letters/export.ts';
import { withDatabase } from '../database.ts';
import { CommandError } from '../exit.ts';
import { addUsage } from '../help.ts';
import { writeData } from '../print.ts';
import { addSelection, expectKnown, type SelectionOptions, selectionOf } from './options.ts';
import { deadSession } from './session.ts';

const variables = [...databaseVariables, 'SYSTEM_CURRENCY'] as const;

/** `dead export`: everything selected, for other programs. */
export function registerExport(dead: Command): void {
  const command = addSelection(dead.command('export'))
    .description('Export dead letters with their bodies as JSON Lines; no passwords are included')
    .option('--json', 'export one JSON array')
    .option('--csv', 'export CSV')
    .option('--output <file>', 'write to a new file; an existing file is never overwritten')
    .action(exportDeadLetters);
  addUsage(command, {
    examples: [
      'cdr-ingest dead export --status dead > dead.jsonl',
      'cdr-ingest dead export --reason rejected --since 7d --csv --output rejected.csv',
    ],
    environment: variables,
  });
}

interface ExportOptions extends SelectionOptions {
  json?: boolean;
  csv?: boolean;
  output?: string;
}

async function exportDeadLetters(
  ids: string[],
  { json, csv, output, ...options }: ExportOptions,
): Promise<void> {
  if (json && csv) throw new ConfigError('--json and --csv: expected one of them');
  const filter = selectionOf(ids, options);
  const format = json ? 'json' : csv ? 'plain-csv' : 'lines';
  const config = readConfig(variables);
  await withDatabase(config, deadSession, async ({ sql }) => {
    await expectKnown(sql, filter);
    const file = output === undefined ? undefined : await newFile(output);
    await writeData(exported(sql, filter, { format, systemCurrency: config.SYSTEM_CURRENCY }), file).catch(
      (error: unknown) => {
        throw isWriteError(error) ? outputError(error) : error;
      },
    );
  });
}

async function newFile(path: string): Promise<Writable> {
  const stream = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  await once(stream, 'open').catch((error: unknown) => {
    throw outputError(error);
  });
  return stream;
}

function outputError(error: unknown): CommandError {
  return new CommandError(`--output: ${error instanceof Error ? error.message : String(error)}`);
}

/** A full disk, for example. */
function isWriteError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'write';
}
