import type { Command } from 'commander';
import { ConfigError, readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { counted } from '../../plural.ts';
import { discardDeadLetters } from '../../store/dead-letters/close.ts';
import { countDeadLetters } from '../../store/dead-letters/list.ts';
import { withDatabase } from '../database.ts';
import { CommandError } from '../exit.ts';
import { addUsage } from '../help.ts';
import { printJson, printLine } from '../print.ts';
import { addSelection, expectKnown, type SelectionOptions, selectionOf } from './options.ts';
import { deadSession, operatorVariables, signIn } from './session.ts';

const variables = [...databaseVariables, ...operatorVariables] as const;

/** `dead discard`: closes dead letters without storing their calls. */
export function registerDiscard(dead: Command): void {
  const command = addSelection(dead.command('discard'))
    .description('Discard dead letters: they stay on record, but are never replayed')
    .option('--why <text>', 'reason, kept in the history')
    .option('--all', 'discard every dead letter; needed without ids and filters')
    .option('--json', 'print JSON')
    .action(discard);
  addUsage(command, {
    examples: [
      'cdr-ingest dead discard 42 43 --why "test calls"',
      'cdr-ingest dead discard --reason unauthenticated --until 30d --why "port scan"',
    ],
    environment: variables,
  });
}

interface DiscardOptions extends SelectionOptions {
  why?: string;
  all?: boolean;
  json?: boolean;
}

async function discard(ids: string[], { why, all, json, ...options }: DiscardOptions): Promise<void> {
  const filter = selectionOf(ids, options);
  if (Object.keys(filter).length === 0 && !all)
    throw new ConfigError('expected ids, a filter, or --all for every dead letter');
  const config = readConfig(variables);
  await withDatabase(config, deadSession, async ({ sql }) => {
    const operator = await signIn(sql, config);
    await expectKnown(sql, filter);
    const selected = await countDeadLetters(sql, filter);
    const closed = await discardDeadLetters(sql, filter, {
      by: operator,
      why: why ?? null,
      program: 'command',
    });
    const discarded = closed.kind === 'done' ? closed.count : 0;
    const skipped = selected - discarded;
    if (json) printJson({ discarded, left_alone: skipped });
    else {
      printLine(`${counted(discarded, 'dead letter')} discarded`);
      if (skipped > 0) printLine(`${skipped} skipped (status is not "dead")`);
    }
    if (ids.length > 0 && skipped > 0)
      throw new CommandError(`${skipped} of the given ids could not be discarded (status is not "dead")`);
  });
}
