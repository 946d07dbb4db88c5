import type { Command } from 'commander';
import { addUsage } from '../help.ts';
import { registerCorrect } from './correct.ts';
import { registerExport } from './export.ts';
import { registerFind } from './find.ts';
import { registerShow } from './show.ts';
import { registerVoid } from './void.ts';

/** `call`: stored calls. */
export function registerCall(program: Command): void {
  const call = program.command('call').description('Find, show, export, correct and void stored calls');
  addUsage(call, {
    examples: [
      'cdr-ingest call find --customer 1 --since 2026-03-01 --until 2026-04-01',
      'cdr-ingest call show 1448282828.10',
      'cdr-ingest call correct 1448282828.10 --set cost=2.40 --dry-run',
    ],
  });
  registerFind(call);
  registerShow(call);
  registerExport(call);
  registerCorrect(call);
  registerVoid(call);
}
