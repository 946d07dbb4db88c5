import type { Command } from 'commander';
import { readConfig } from '../../config.ts';
import type { Lookup } from '../../domain/lookup.ts';
import type { ParameterError } from '../../domain/validate.ts';
import { counted } from '../../plural.ts';
import { refusalsOf } from '../../sources/check.ts';
import type { Feed } from '../../sources/feed.ts';
import { type MappedCall, mapRecord } from '../../sources/map.ts';
import { readSourcesFile } from '../../sources-file.ts';
import { finish } from '../exit.ts';
import { addUsage } from '../help.ts';
import { printJson, printLine } from '../print.ts';
import { chosenFeed } from './chosen.ts';
import { type NativeText, readNativeFile } from './records.ts';

/** `source test`: maps the records of a native file, without broker or database. */
export function addTest(source: Command): void {
  const command = source
    .command('test')
    .argument('<file>', 'a native file of the feed; - for standard input')
    .description('Print what each record of a native file becomes; exit 1 unless each is a call or skipped')
    .option('--source <name>', 'the feed that the records come from; not needed if there is only one')
    .option('--json', 'print one JSON object per record')
    .action(run);
  addUsage(command, {
    examples: [
      'cdr-ingest source test --source fs-ams-1 events.jsonl',
      'zcat cdrs.csv.gz | cdr-ingest source test --source pbx-1 --json -',
    ],
    environment: ['SOURCES_FILE'],
  });
}

/** What became of one record. */
type Result =
  | { kind: 'call'; call: MappedCall }
  | { kind: 'skip'; field: string; value: string }
  | { kind: 'failed'; errors: readonly ParameterError[] };

async function run(file: string, { source, json }: { source?: string; json?: boolean }): Promise<void> {
  const feed = chosenFeed(readSourcesFile(readConfig(['SOURCES_FILE']).SOURCES_FILE), source);
  const counts = { call: 0, skip: 0, failed: 0 };
  let guessed = 0;
  for await (const record of readNativeFile(file, feed.spec)) {
    const result = resultOf(feed, record);
    counts[result.kind] += 1;
    if (result.kind === 'call' && result.call.isTimeGuessed) guessed += 1;
    if (json) printJson({ line: record.line, ...shown(result) }, 0);
    else for (const line of linesOf(record.line, result)) printLine(line);
  }
  if (!json) printLine(summary(counts, guessed));
  finish(counts.failed === 0);
}

function resultOf(feed: Feed, { text, problem }: NativeText): Result {
  if (problem !== undefined) return { kind: 'failed', errors: [{ key: '', message: problem }] };
  const mapped = mapRecord(feed, text);
  if (mapped.kind === 'skip') return mapped;
  const errors = mapped.kind === 'call' ? refusalsOf(feed, mapped) : mapped.errors;
  return mapped.kind === 'call' && errors.length === 0
    ? { kind: 'call', call: mapped }
    : { kind: 'failed', errors };
}

function shown(result: Result): object {
  switch (result.kind) {
    case 'call': {
      const { fields, lookups, isTimeGuessed } = result.call;
      return { result: 'call', parameters: fields, lookups, isTimeGuessed };
    }
    case 'skip':
      return { result: 'skipped', field: result.field, value: result.value };
    case 'failed':
      return { result: 'failed', errors: result.errors };
  }
}

function linesOf(line: number, result: Result): string[] {
  switch (result.kind) {
    case 'call': {
      const { fields, lookups, isTimeGuessed } = result.call;
      const values = Object.entries(fields).map(([name, value]) => [name, String(value)] as const);
      const wanted = lookups.map((each) => [each.parameter, lookupText(each)] as const);
      return [
        `line ${line}: call${isTimeGuessed ? ' (its time occurs twice that night; the first was taken)' : ''}`,
        ...[...values, ...wanted].map(([name, value]) => `  ${name.padEnd(15)} ${value}`),
      ];
    }
    case 'skip':
      return [`line ${line}: skipped, ${result.field} is ${result.value}`];
    case 'failed':
      return [
        `line ${line}: failed`,
        ...result.errors.map(({ key, message }) => `  ${(key || 'record').padEnd(15)} ${message}`),
      ];
  }
}

function lookupText(lookup: Lookup): string {
  if (lookup.parameter === 'peer') return `(the peer named ${lookup.name})`;
  const at = new Date(lookup.at * 1000);
  const time = Number.isNaN(at.getTime()) ? String(lookup.at) : at.toISOString();
  return `(the customer of ${lookup.kind} ${lookup.key} at ${time})`;
}

function summary({ call, skip, failed }: Record<Result['kind'], number>, guessed: number): string {
  const parts = [counted(call, 'call'), `${skip} skipped`, `${failed} failed`];
  const note = guessed === 0 ? '' : `; ${counted(guessed, 'time')} guessed`;
  return `${counted(call + skip + failed, 'record')}: ${parts.join(', ')}${note}`;
}
