import type { Command } from 'commander';
import { discardable, discardDeadLetters } from '../../store/dead-letters/close.ts';
import { addUsage } from '../help.ts';
import { addClosingOptions, type ClosingOptions, close, closingVariables } from './closing.ts';
import { addSelection } from './options.ts';

/** `dead discard`: closes dead letters without storing their calls. */
export function registerDiscard(dead: Command): void {
  const command = addClosingOptions(addSelection(dead.command('discard')), 'discard')
    .description('Discard dead letters: they stay on record, and "dead reopen" undoes it')
    .option('--for-good', 'keep them closed even if their switch sends the calls again')
    .action(discard);
  addUsage(command, {
    examples: [
      'cdr-ingest dead discard 42 43 --why "test calls"',
      'cdr-ingest dead discard --reason unauthenticated --until 30d --why "port scan" --for-good --yes',
    ],
    environment: closingVariables,
  });
}

interface DiscardOptions extends ClosingOptions {
  forGood?: boolean;
}

async function discard(ids: string[], { forGood = false, ...options }: DiscardOptions): Promise<void> {
  await close(ids, options, {
    verb: 'discard',
    participle: 'discarded',
    within: discardable,
    leftAlone: 'status is not "dead"',
    run: async (sql, filter, closing) => await discardDeadLetters(sql, filter, { ...closing, forGood }),
  });
}
