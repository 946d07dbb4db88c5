import type { Command } from 'commander';
import { inForceOf } from '../../calls/in-force.ts';
import { unknownCall } from '../../calls/near.ts';
import { type CallStory, readCallStory } from '../../calls/story.ts';
import { ConfigError, readConfig } from '../../config.ts';
import { databaseVariables } from '../../connections.ts';
import { expectStorable } from '../../input.ts';
import { readNear } from '../../store/calls/near.ts';
import { withDatabase } from '../database.ts';
import { fromOptions } from '../dead/options.ts';
import { CommandError } from '../exit.ts';
import { addUsage } from '../help.ts';
import { printJson } from '../print.ts';
import { callSession } from './options.ts';
import { printStory } from './page.ts';

/** `call show`: everything that is known about one stored call. */
export function registerShow(call: Command): void {
  const command = call
    .command('show')
    .argument('<uniqueid>', 'uniqueid of the call')
    .description(
      'Show a stored call: its parameters, what was charged on which terms, corrections, dead letters',
    )
    .option('--json', 'print JSON')
    .action(show);
  addUsage(command, {
    examples: ['cdr-ingest call show 1448282828.10', 'cdr-ingest call show 1448282828.10 --json'],
    environment: databaseVariables,
  });
}

async function show(uniqueid: string, { json }: { json?: boolean }): Promise<void> {
  fromOptions(() => expectStorable('uniqueid', uniqueid));
  if (uniqueid === '') throw new ConfigError('uniqueid: expected a value, got ""');
  await withDatabase(readConfig(databaseVariables), callSession, async ({ sql }) => {
    const story = await readCallStory(sql, uniqueid);
    if (story === undefined) throw new CommandError(unknownCall(uniqueid, await readNear(sql, uniqueid)));
    if (json) printJson(jsonOf(story));
    else printStory(story);
  });
}

/** By the names that columns have everywhere. */
function jsonOf({ deadLetters, orders, ...story }: CallStory): object {
  return {
    ...story,
    in_force: inForceOf(story),
    dead_letters: deadLetters,
    orders: orders.map(({ deadLetter, createdAt, answeredAt, ...order }) => ({
      ...order,
      dead_letter: deadLetter,
      created_at: createdAt,
      answered_at: answeredAt,
    })),
  };
}
