import type { Command } from 'commander';
import { readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { readDeadLetterView } from '../../dead-letters/history.ts';
import { nextSteps } from '../../dead-letters/next-steps.ts';
import { withDatabase } from '../database.ts';
import { CommandError } from '../exit.ts';
import { addUsage } from '../help.ts';
import { printJson } from '../print.ts';
import { selectionOf } from './options.ts';
import { deadSession } from './session.ts';
import { printDeadLetter } from './tables.ts';

const variables = [...databaseVariables, 'SYSTEM_CURRENCY'] as const;

/** `dead show`: everything that is known about one dead letter. */
export function registerShow(dead: Command): void {
  const command = dead
    .command('show')
    .argument('<id>', 'id of the dead letter')
    .description(
      'Show a dead letter: the call, its reply, its history, and the stored call of the same uniqueid',
    )
    .option('--json', 'print JSON')
    .action(show);
  addUsage(command, {
    examples: ['cdr-ingest dead show 42', 'cdr-ingest dead show 42 --json'],
    environment: variables,
  });
}

async function show(id: string, { json }: { json?: boolean }): Promise<void> {
  const [only = ''] = selectionOf([id], {}).ids ?? [];
  const config = readConfig(variables);
  await withDatabase(config, deadSession, async ({ sql }) => {
    const found = await readDeadLetterView(sql, only, config.SYSTEM_CURRENCY);
    if (found === undefined) throw new CommandError(`there is no dead letter ${only}`);
    const { deadLetter, inReplays, merged, ...rest } = found;
    const more = { in_replays: inReplays, merged_into: merged?.into ?? null, next_steps: nextSteps(found) };
    if (json) printJson({ ...deadLetter, ...rest, ...more });
    else printDeadLetter(found, config.SYSTEM_CURRENCY);
  });
}
