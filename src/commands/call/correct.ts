import type { Command } from 'commander';
import { type CallChange, readChange } from '../../calls/change.ts';
import type { InForce } from '../../calls/in-force.ts';
import { valuesToTake } from '../../calls/take.ts';
import { ConfigError } from '../../config.ts';
import { readDeadLetterView } from '../../dead-letters/history.ts';
import { changeNames } from '../../domain/correction-contract.ts';
import type { Sql } from '../../store/sql.ts';
import { fromOptions, selectionOf } from '../dead/options.ts';
import { repeated } from '../dead/replay-options.ts';
import { CommandError } from '../exit.ts';
import { addUsage } from '../help.ts';
import { addBookingOptions, type BookingOptions, book, bookingVariables, type Wanted } from './booking.ts';

/** `call correct`: takes back what is charged for a call, and books it anew with other values. */
export function registerCorrect(call: Command): void {
  const command = addBookingOptions(call.command('correct'))
    .description('Take back what is charged for a stored call, and book it anew with other values')
    .option('--set <name=value>', `set one of ${changeNames.join(', ')}; may be repeated`, repeated)
    .option('--take <id>', 'take the values of this conflict, which is resolved by it')
    .action(run);
  addUsage(command, {
    examples: [
      'cdr-ingest call correct 1448282828.10 --set cost=2.40 --dry-run',
      'cdr-ingest call correct 1448282828.10 --set cost=2.40 --set taxes=VAT --why "the wrong rate"',
      'cdr-ingest call correct 1448282828.10 --take 42 --why "the switch sent it too early"',
    ],
    environment: bookingVariables,
  });
}

interface CorrectOptions extends BookingOptions {
  set?: string[];
  take?: string;
}

async function run(uniqueid: string, { set = [], take, ...options }: CorrectOptions): Promise<void> {
  if (set.length === 0 && take === undefined)
    throw new ConfigError(`expected --set with ${changeNames.join(', ')}, or --take with a dead letter`);
  const change = fromOptions(() => readChange(set));
  const [letter] = take === undefined ? [] : (selectionOf([take], {}).ids ?? []);
  await book('update', uniqueid, options, async (sql, inForce, { SYSTEM_CURRENCY }) =>
    letter === undefined
      ? { change, deadLetter: null, said: [] }
      : await taken(sql, letter, uniqueid, inForce, change, SYSTEM_CURRENCY),
  );
}

/** The values of a conflict; what is set beside that counts. */
async function taken(
  sql: Sql,
  letter: string,
  uniqueid: string,
  inForce: InForce,
  change: CallChange,
  systemCurrency: string,
): Promise<Wanted> {
  const view = await readDeadLetterView(sql, letter, systemCurrency);
  if (view === undefined) throw new CommandError(`there is no dead letter ${letter}`);
  const values = valuesToTake(view, uniqueid, inForce);
  if (values.kind === 'refused') throw new CommandError(values.why);
  const { staying, verified } = values;
  return {
    change: { ...values.change, ...change },
    deadLetter: letter,
    said: [
      ...(staying.length === 0 ? [] : [`staying as they are stored: ${staying.join(', ')}`]),
      ...(verified
        ? []
        : [`WARNING: nobody knows who sent dead letter ${letter}: you answer for its values`]),
    ],
  };
}
