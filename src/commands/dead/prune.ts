import type { Command } from 'commander';
import { readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { readTime } from '../../dead-letters/input.ts';
import { counted } from '../../plural.ts';
import { countPrunable, pruneDeadLetters } from '../../store/dead-letters/edit.ts';
import { withDatabase } from '../database.ts';
import { addUsage } from '../help.ts';
import { printJson, printLine } from '../print.ts';
import { fromOptions } from './options.ts';
import { deadSession } from './session.ts';

/** `dead prune`: deletes closed dead letters that are old enough. */
export function registerPrune(dead: Command): void {
  const command = dead
    .command('prune')
    .description('Delete old resolved and discarded dead letters with their history')
    .requiredOption('--older-than <time>', 'delete those closed longer ago than this, such as 90d')
    .option('--dry-run', 'only count them')
    .option('--json', 'print JSON')
    .action(prune);
  addUsage(command, {
    examples: ['cdr-ingest dead prune --older-than 90d --dry-run', 'cdr-ingest dead prune --older-than 90d'],
    environment: databaseVariables,
  });
}

interface PruneOptions {
  olderThan: string;
  dryRun?: boolean;
  json?: boolean;
}

async function prune({ olderThan, dryRun: isDryRun = false, json }: PruneOptions): Promise<void> {
  const before = fromOptions(() => readTime('older-than', olderThan, new Date()));
  await withDatabase(readConfig(databaseVariables), { ...deadSession, poolSize: 1 }, async ({ sql }) => {
    const pruned = await (isDryRun ? countPrunable : pruneDeadLetters)(sql, before);
    if (json) printJson({ pruned, dry_run: isDryRun });
    else printLine(`${counted(pruned, 'dead letter')} ${isDryRun ? 'would be pruned' : 'pruned'}`);
  });
}
