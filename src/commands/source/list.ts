import type { Command } from 'commander';
import { readConfig } from '../../config.ts';
import type { Feed } from '../../sources/feed.ts';
import { readSourcesFile } from '../../sources-file.ts';
import { addUsage } from '../help.ts';
import { printJson, printTable } from '../print.ts';

/** `source list`: the feeds of the sources file; a wrong file exits 2. */
export function addList(source: Command): void {
  const command = source
    .command('list')
    .description('List the feeds of the sources file; exit 2 if anything in it is wrong')
    .option('--json', 'print the feeds as JSON')
    .action(run);
  addUsage(command, {
    examples: ['cdr-ingest source list', 'cdr-ingest source list --json'],
    environment: ['SOURCES_FILE'],
  });
}

function run({ json }: { json?: boolean }): void {
  const feeds = readSourcesFile(readConfig(['SOURCES_FILE']).SOURCES_FILE);
  if (json) printJson(feeds.map(summary));
  else
    printTable(
      ['feed', 'exchange', 'user', 'machines', 'format', 'heard every', 'parameters'],
      feeds.map(({ name, spec: { exchange, type, as, machines, format, every }, parameters }) => [
        name,
        `${exchange} (${type})`,
        as,
        machines,
        format,
        every ?? '',
        parameters.length,
      ]),
    );
}

function summary({ name, spec, parameters }: Feed) {
  const { exchange, type, keys, as, machines, format, skip, every } = spec;
  return {
    name,
    exchange,
    type,
    keys,
    as,
    machines,
    format,
    skip,
    every,
    parameters: parameters.map((each) => each.name),
  };
}
