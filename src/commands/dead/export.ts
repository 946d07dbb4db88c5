import type { Command } from 'commander';
import { ConfigError, readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { type ExportFormat, exported } from '../../dead-letters/export.ts';
import { exportColumns, readColumns } from '../../dead-letters/export-columns.ts';
import { countDeadLetters, type DeadLetterFilter } from '../../store/dead-letters/list.ts';
import type { Sql } from '../../store/sql.ts';
import { withDatabase } from '../database.ts';
import { noteExport } from '../export-note.ts';
import { addUsage } from '../help.ts';
import { newFile, writeExport } from '../output-file.ts';
import { chosen } from './choice.ts';
import { addSelection, expectKnown, fromOptions, type SelectionOptions, selectionOf } from './options.ts';
import { deadSession, operatorVariables, signedIn } from './session.ts';

const variables = [...databaseVariables, ...operatorVariables, 'SYSTEM_CURRENCY'] as const;

const formats = ['lines', 'json', 'csv'] as const;

/** `dead export`: everything selected, for other programs. */
export function registerExport(dead: Command): void {
  const command = addSelection(dead.command('export'))
    .description('Export dead letters as JSON Lines, CSV or JSON; no passwords are included')
    .option('--format <format>', `${formats.join(', ')} (default lines); csv is for people and spreadsheets`)
    .option('--columns <names>', `comma-separated: ${exportColumns.join(', ')}`)
    .option('--json', 'export one JSON array, as --format json does')
    .option('--csv', 'export CSV for programs, with columns that stay; for people: --format csv')
    .option('--output <file>', 'write to a new file; an existing file is never overwritten')
    .action(exportDeadLetters);
  addUsage(command, {
    examples: [
      'cdr-ingest dead export --status dead > dead.jsonl',
      'cdr-ingest dead export --status resolved --since 30d --format csv --output resolved.csv',
      'cdr-ingest dead export --reason rejected --format csv --columns id,start,duration,cnumber,cost',
    ],
    environment: variables,
  });
}

interface ExportOptions extends SelectionOptions {
  format?: string;
  columns?: string;
  json?: boolean;
  csv?: boolean;
  output?: string;
}

async function exportDeadLetters(
  ids: string[],
  { format: formatText, columns: columnsText, json, csv, output, ...options }: ExportOptions,
): Promise<void> {
  const filter = selectionOf(ids, options);
  const format = formatOf(formatText, json, csv);
  if (format === 'plain-csv' && columnsText !== undefined)
    throw new ConfigError('--columns: expected without --csv, whose columns stay; use --format csv');
  const columns = columnsText === undefined ? undefined : fromOptions(() => readColumns(columnsText));
  const config = readConfig(variables);
  await withDatabase(config, deadSession, async ({ sql }) => {
    await expectKnown(sql, filter);
    const file = output === undefined ? undefined : await newFile(output);
    await note(sql, filter, { format, file: output, who: await signedIn(sql, config) });
    const chunks = exported(sql, filter, { format, columns, systemCurrency: config.SYSTEM_CURRENCY });
    await writeExport(chunks, file);
  });
}

function formatOf(
  format: string | undefined,
  json: boolean | undefined,
  csv: boolean | undefined,
): ExportFormat {
  const named = [
    ...(format === undefined ? [] : [chosen('format', format, formats)]),
    ...(json ? (['json'] as const) : []),
    ...(csv ? (['plain-csv'] as const) : []),
  ];
  if (new Set(named).size > 1) throw new ConfigError('--format, --json and --csv: expected one of them');
  return named[0] ?? 'lines';
}

async function note(
  sql: Sql,
  { ids, ...filter }: DeadLetterFilter,
  { who, ...detail }: { who: string | null; format: ExportFormat; file: string | undefined },
): Promise<void> {
  const selection = { ...(ids !== undefined && { dead_letters: ids.length }), filter };
  const count = await countDeadLetters(sql, { ...filter, ...(ids !== undefined && { ids }) });
  await noteExport(sql, who, { count, ...selection, ...detail });
}
