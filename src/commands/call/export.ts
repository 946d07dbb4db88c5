import type { Command } from 'commander';
import { callFormats, exportedCalls } from '../../calls/export.ts';
import { callColumns, readCallColumns } from '../../calls/export-columns.ts';
import { ConfigError, readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { withDatabase } from '../database.ts';
import { chosen } from '../dead/choice.ts';
import { fromOptions } from '../dead/options.ts';
import { operatorVariables, signedIn } from '../dead/session.ts';
import { noteExport } from '../export-note.ts';
import { addUsage } from '../help.ts';
import { newFile, writeExport } from '../output-file.ts';
import { addFilters, callSession, type FilterOptions, filterOf } from './options.ts';

const variables = [...databaseVariables, ...operatorVariables] as const;

/** `call export`: every stored call that matches. */
export function registerExport(call: Command): void {
  const command = addFilters(call.command('export'))
    .description('Export stored calls as CSV for people or as JSON Lines, the earliest start first')
    .option('--format <format>', `${callFormats.join(', ')} (default csv)`)
    .option('--columns <names>', `of CSV, comma-separated: ${callColumns.join(', ')}`)
    .option('--json', 'export JSON Lines, as --format lines does')
    .option('--output <file>', 'write to a new file; an existing file is never overwritten')
    .action(exportCalls);
  addUsage(command, {
    examples: [
      'cdr-ingest call export --customer 1 --since 2026-03-01 --until 2026-04-01 --output march.csv',
      'cdr-ingest call export --invoice 10 --columns start,cnumber,talktime,charged,voided',
      'cdr-ingest call export --since 24h --json > calls.jsonl',
    ],
    environment: variables,
  });
}

interface ExportOptions extends FilterOptions {
  format?: string;
  columns?: string;
  json?: boolean;
  output?: string;
}

async function exportCalls({
  format,
  columns: names,
  json,
  output,
  ...filters
}: ExportOptions): Promise<void> {
  const filter = filterOf(filters);
  const named = format === undefined ? undefined : chosen('format', format, callFormats);
  if (json && named === 'csv') throw new ConfigError('--json and --format csv: expected one of them');
  const wanted = json ? 'lines' : (named ?? 'csv');
  if (wanted === 'lines' && names !== undefined)
    throw new ConfigError('--columns: expected with CSV, for JSON Lines have everything by name');
  const columns = names === undefined ? undefined : fromOptions(() => readCallColumns(names));
  const config = readConfig(variables);
  await withDatabase(config, callSession, async ({ sql }) => {
    const file = output === undefined ? undefined : await newFile(output);
    await noteExport(sql, await signedIn(sql, config), {
      calls: filters,
      format: wanted,
      ...(output !== undefined && { file: output }),
    });
    await writeExport(exportedCalls(sql, filter, { format: wanted, columns }), file);
  });
}
