import type { Command } from 'commander';
import { reopenable, reopenDeadLetters } from '../../store/dead-letters/close.ts';
import { addUsage } from '../help.ts';
import { addClosingOptions, type ClosingOptions, close, closingVariables } from './closing.ts';
import { addSelection } from './options.ts';

/** `dead reopen`: undoes `dead discard`. */
export function registerReopen(dead: Command): void {
  const command = addClosingOptions(addSelection(dead.command('reopen')), 'reopen')
    .description('Reopen discarded dead letters: they wait for an operator again')
    .action(reopen);
  addUsage(command, {
    examples: [
      'cdr-ingest dead reopen 42 --why "no test call after all"',
      'cdr-ingest dead reopen --reason unauthenticated --since 7d --why "the switch had an old password" --yes',
    ],
    environment: closingVariables,
  });
}

async function reopen(ids: string[], options: ClosingOptions): Promise<void> {
  await close(ids, options, {
    verb: 'reopen',
    participle: 'reopened',
    within: reopenable,
    leftAlone: 'not discarded, or merged into another dead letter',
    run: reopenDeadLetters,
  });
}
