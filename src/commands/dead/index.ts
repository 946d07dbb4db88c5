import type { Command } from 'commander';
import { addUsage } from '../help.ts';
import { addDiscard } from './discard.ts';
import { addExport } from './export.ts';
import { addList } from './list.ts';
import { addPrune } from './prune.ts';
import { addReplay } from './replay.ts';
import { addShow } from './show.ts';

/** `dead`: what operators do with calls that could not be stored. */
export function registerDead(program: Command): void {
  const dead = program.command('dead').description('Inspect, correct, replay and discard dead letters');
  addUsage(dead, {
    examples: [
      'cdr-ingest dead list --status dead --group-by reason',
      'cdr-ingest dead show 42',
      'cdr-ingest dead replay --key scustomer --dry-run',
      'cdr-ingest dead replay --help',
    ],
  });
  addList(dead);
  addShow(dead);
  addReplay(dead);
  addDiscard(dead);
  addPrune(dead);
  addExport(dead);
}
