import type { Command } from 'commander';
import { addUsage } from '../help.ts';
import { registerDiscard } from './discard.ts';
import { registerExport } from './export.ts';
import { registerList } from './list.ts';
import { registerLog } from './log.ts';
import { registerPrune } from './prune.ts';
import { registerReopen } from './reopen.ts';
import { registerReplay } from './replay.ts';
import { registerReplays, registerStop } from './replays.ts';
import { registerShow } from './show.ts';

/** `dead`: what operators do with calls that could not be stored. */
export function registerDead(program: Command): void {
  const dead = program
    .command('dead')
    .description('Inspect, correct, replay, discard, reopen and export dead letters');
  addUsage(dead, {
    examples: [
      'cdr-ingest dead list --status dead --group-by reason',
      'cdr-ingest dead show 42',
      'cdr-ingest dead replay --key scustomer --dry-run',
      'cdr-ingest dead replay --help',
    ],
  });
  registerList(dead);
  registerShow(dead);
  registerReplay(dead);
  registerReplays(dead);
  registerStop(dead);
  registerDiscard(dead);
  registerReopen(dead);
  registerPrune(dead);
  registerExport(dead);
  registerLog(dead);
}
