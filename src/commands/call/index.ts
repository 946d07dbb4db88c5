import type { Command } from 'commander';
import { addUsage } from '../help.ts';
import { registerFind } from './find.ts';
import { registerShow } from './show.ts';

/** `call`: stored calls. */
export function registerCall(program: Command): void {
  const call = program.command('call').description('Find and show stored calls');
  addUsage(call, {
    examples: [
      'cdr-ingest call find --customer 1 --since 2026-03-01 --until 2026-04-01',
      'cdr-ingest call show 1448282828.10',
    ],
  });
  registerFind(call);
  registerShow(call);
}
