import type { Command } from 'commander';
import { ConfigError } from '../../config.ts';
import { readTime } from '../../dead-letters/input.ts';
import { countPrunable, discardDeadLetters, pruneDeadLetters } from '../../store/dead-letters/edit.ts';
import { countDeadLetters } from '../../store/dead-letters/list.ts';
import { printLine } from '../print.ts';
import {
  asOperator,
  expectKnown,
  operatorAtWork,
  printJson,
  type SelectionOptions,
  SelectionRefused,
  selectionOf,
  usage,
  withSelection,
} from './options.ts';

interface DiscardOptions extends SelectionOptions {
  why?: string;
  all?: boolean;
  json?: boolean;
}

/** `dead discard` and `dead prune`. */
export function registerClose(dead: Command): void {
  withSelection(dead.command('discard'))
    .description('gives up dead letters for good: they stay on record and no replay sends them')
    .option('--why <text>', 'the reason, kept in the history')
    .option('--all', 'every dead letter, where no id and no filter is given')
    .option('--json', 'prints JSON')
    .action(discard);

  dead
    .command('prune')
    .description('removes resolved and discarded dead letters with their history')
    .requiredOption('--older-than <time>', 'closed longer ago than this, such as 90d')
    .option('--dry-run', 'only says how many')
    .option('--json', 'prints JSON')
    .action(async (options: { olderThan: string; dryRun?: boolean; json?: boolean }) => {
      const before = usage(() => readTime('older-than', options.olderThan, new Date()));
      await asOperator(1, async ({ sql }) => {
        const pruned = await (options.dryRun ? countPrunable : pruneDeadLetters)(sql, before);
        if (options.json) printJson({ pruned, dry_run: options.dryRun === true });
        else printLine(`${pruned} ${options.dryRun ? 'would be removed' : 'removed'}`);
      });
    });
}

async function discard(ids: string[], { why, all, json, ...options }: DiscardOptions): Promise<void> {
  const filter = selectionOf(ids, options);
  if (Object.keys(filter).length === 0 && !all)
    throw new ConfigError('expected ids, a filter, or --all for every dead letter');
  await asOperator(2, async (session) => {
    const operator = await operatorAtWork(session);
    await expectKnown(session.sql, filter);
    const selected = await countDeadLetters(session.sql, filter);
    const discarded = await discardDeadLetters(session.sql, filter, operator, why ?? null);
    const others = selected - discarded;
    if (json) printJson({ discarded, left_alone: others });
    else printLine(`${discarded} discarded${others > 0 ? `, ${others} left alone: not dead` : ''}`);
    if (ids.length > 0 && others > 0) throw new SelectionRefused(`${others} of the given ids were not dead`);
  });
}
