import type { Command } from 'commander';
import { addUsage } from '../help.ts';
import { addAudit } from './audit.ts';
import { addList } from './list.ts';
import { addTest } from './test.ts';

/** `source`: the feeds of switches that do not speak the contract. */
export function registerSource(program: Command): void {
  const source = program
    .command('source')
    .description('List feeds, try them on native files, and find what is missing of a file');
  addUsage(source, {
    examples: ['cdr-ingest source list', 'cdr-ingest source test --source fs-ams-1 events.jsonl'],
  });
  addList(source);
  addTest(source);
  addAudit(source);
}
