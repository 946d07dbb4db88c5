import type { Command } from 'commander';
import { readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { readTime } from '../../input.ts';
import { counted } from '../../plural.ts';
import { oldActivity } from '../../store/activity.ts';
import { oldOrders } from '../../store/calls/old-orders.ts';
import { oldDeadLetters } from '../../store/dead-letters/prune.ts';
import { countOld, removeOld } from '../../store/old-rows.ts';
import { oldReplays } from '../../store/replays/prune.ts';
import { withDatabase } from '../database.ts';
import { addUsage } from '../help.ts';
import { printJson, printLine } from '../print.ts';
import { fromOptions } from './options.ts';
import { deadSession } from './session.ts';

/** `dead prune`: deletes closed dead letters that are old enough. */
export function registerPrune(dead: Command): void {
  const command = dead
    .command('prune')
    .description(
      'Delete old resolved and discarded dead letters with their history, old replays, orders and activity',
    )
    .requiredOption(
      '--older-than <time>',
      'delete what was closed, ended, answered or done longer ago than this, such as 90d',
    )
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
    const handle = isDryRun ? countOld : removeOld;
    const pruned = await handle(sql, oldDeadLetters, before);
    const replays = await handle(sql, oldReplays, before);
    const orders = await handle(sql, oldOrders, before);
    const acts = await handle(sql, oldActivity, before);
    if (json) return printJson({ pruned, replays, orders, activity: acts, dry_run: isDryRun });
    const participle = isDryRun ? 'would be pruned' : 'pruned';
    printLine(`${counted(pruned, 'dead letter')} ${participle}`);
    const ended = `${counted(replays, 'replay')}, ${counted(orders, 'order')} of corrections`;
    printLine(`${ended} and ${counted(acts, 'row')} of the activity ${participle}`);
  });
}
