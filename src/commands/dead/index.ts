import type { Command } from 'commander';
import { registerClose } from './close.ts';
import { registerExport } from './export.ts';
import { registerLook } from './list.ts';
import { registerReplay } from './replay.ts';

/** `dead`: the operator's desk for calls that could not be stored. */
export function registerDead(program: Command): void {
  const dead = program
    .command('dead')
    .description('dead letters: looks at them, corrects them, sends them again, gives them up');
  registerLook(dead);
  registerReplay(dead);
  registerClose(dead);
  registerExport(dead);
}
