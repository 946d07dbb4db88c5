import type { Command } from 'commander';
import { readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { timeOf } from '../../dead-letters/format.ts';
import { acts } from '../../domain/activity.ts';
import { readCount, readTime } from '../../input.ts';
import { type Activity, type ActivityFilter, readActivity } from '../../store/activity.ts';
import { withDatabase } from '../database.ts';
import { addUsage } from '../help.ts';
import { printJson, printLine, printTable } from '../print.ts';
import { chosen } from './choice.ts';
import { fromOptions } from './options.ts';
import { deadSession } from './session.ts';

/** Rows without --limit. */
const ROWS = 50;

/** `dead log`: who did what, by command or in the console. */
export function registerLog(dead: Command): void {
  const command = dead
    .command('log')
    .description('Show who did what and why, the latest first')
    .option('--who <user>', 'only this user')
    .option('--act <act>', `${acts.join(', ')}; comma-separated`)
    .option('--since <time>', 'at or after this time: 2h, 7d or ISO 8601')
    .option('--until <time>', 'before this time: 2h, 7d or ISO 8601')
    .option('--limit <count>', `maximum rows (default ${ROWS})`)
    .option('--json', 'print JSON')
    .action(log);
  addUsage(command, {
    examples: [
      'cdr-ingest dead log --since 24h',
      'cdr-ingest dead log --act discarded,reopened --who alice --json',
    ],
    environment: databaseVariables,
  });
}

interface LogOptions {
  who?: string;
  act?: string;
  since?: string;
  until?: string;
  limit?: string;
  json?: boolean;
}

async function log({ json, ...options }: LogOptions): Promise<void> {
  const { limit, ...filter } = readLogOptions(options);
  await withDatabase(readConfig(databaseVariables), { ...deadSession, poolSize: 1 }, async ({ sql }) => {
    const activity = await readActivity(sql, { ...filter, limit: json ? limit : limit + 1 });
    if (json) {
      printJson(activity);
      return;
    }
    printTable(['when (UTC)', 'who', 'act', 'by', 'details'], activity.slice(0, limit).map(rowOf));
    if (activity.length > limit) printLine(`Showing the latest ${limit}. Use --limit for more.`);
  });
}

function readLogOptions({
  who,
  act,
  since,
  until,
  limit,
}: Omit<LogOptions, 'json'>): ActivityFilter & { limit: number } {
  const now = new Date();
  return fromOptions(() => ({
    ...(who !== undefined && { who }),
    ...(act !== undefined && { acts: act.split(',').map((each) => chosen('act', each.trim(), acts)) }),
    ...(since !== undefined && { since: readTime('since', since, now) }),
    ...(until !== undefined && { until: readTime('until', until, now) }),
    limit: readCount('limit', limit) ?? ROWS,
  }));
}

function rowOf({ at, who, act, program, detail }: Activity): string[] {
  return [timeOf(at), who ?? '', act, program, detailText(detail)];
}

function detailText(detail: Record<string, unknown>): string {
  return Object.entries(detail)
    .map(
      ([name, value]) =>
        `${name.replaceAll('_', ' ')}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
    )
    .join('; ');
}
