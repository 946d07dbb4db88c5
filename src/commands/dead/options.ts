import type { Command } from 'commander';
import { ConfigError } from '../../config.ts';
import { readSelection, type SelectionText } from '../../dead-letters/selection.ts';
import { deadReasons, refusalCodes } from '../../domain/outcome.ts';
import { deadLetterStatuses } from '../../domain/record.ts';
import { expectStorable, InvalidInput } from '../../input.ts';
import { type DeadLetterFilter, unknownIds } from '../../store/dead-letters/list.ts';
import type { Sql } from '../../store/sql.ts';
import { CommandError } from '../exit.ts';

/** The options of a selection, as they were typed. */
export type SelectionOptions = Omit<SelectionText, 'ids' | 'answerKey'>;

/** Adds the selection that the commands have in common: ids, and filters that must all match. */
export function addSelection(command: Command): Command {
  return command
    .argument('[id...]', 'ids of dead letters')
    .option('--reason <reason>', `${deadReasons.join(', ')}; comma-separated`)
    .option('--status <status>', `${deadLetterStatuses.join(', ')}; comma-separated`)
    .option('--code <code>', `reply code: ${refusalCodes.join(', ')}`)
    .option('--key <key>', 'parameter named in the reply; "" if it names none')
    .option('--customer <id>', 'only this customer (scustomer)')
    .option('--machine <machine>', 'only this machine')
    .option('--uniqueid <uniqueid>', 'only this uniqueid')
    .option('--search <text>', "a whole uniqueid, callid or number, an id, or part of a customer's name")
    .option('--source <name>', 'only of this feed; "" if they came by none')
    .option('--since <time>', 'last died at or after this time: 2h, 7d or ISO 8601')
    .option('--until <time>', 'last died before this time: 2h, 7d or ISO 8601');
}

/** Filters whose empty value says nothing. Of a script's variable that is not set it would select everything. */
const NEED_VALUE = [
  'reason',
  'status',
  'code',
  'search',
  'customer',
  'machine',
  'uniqueid',
  'since',
  'until',
] as const satisfies readonly (keyof SelectionOptions)[];

/** Reads a selection. Throws ConfigError if it is invalid. */
export function selectionOf(ids: readonly string[], options: SelectionOptions): DeadLetterFilter {
  const empty = NEED_VALUE.find((name) => options[name]?.trim() === '');
  if (empty !== undefined) throw new ConfigError(`--${empty}: expected a value, got ""`);
  return fromOptions(() => readSelection({ ...options, ids }, new Date()));
}

/** Reads values of options. InvalidInput becomes a ConfigError that names the option. */
export function fromOptions<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    throw new ConfigError(error.message.startsWith('id:') ? error.message : `--${error.message}`);
  }
}

/** Throws ConfigError where nothing limits the selection and nobody said that everything is meant. */
export function expectSelective(filter: DeadLetterFilter, all: boolean | undefined): void {
  if (Object.keys(filter).length === 0 && !all)
    throw new ConfigError('expected ids, a filter, or --all for every dead letter');
}

/** The reason that an act on record needs. Throws ConfigError without one. */
export function reasonIn(why: string | undefined): string {
  const reason = why?.trim() ?? '';
  if (reason === '') throw new ConfigError('--why: expected the reason, which is kept in the history');
  fromOptions(() => expectStorable('why', reason));
  return reason;
}

/** Throws CommandError if any of the given ids does not exist. */
export async function expectKnown(sql: Sql, { ids }: DeadLetterFilter): Promise<void> {
  const unknown = ids === undefined ? [] : await unknownIds(sql, ids);
  if (unknown.length > 0) throw new CommandError(`there is no dead letter ${unknown.join(', ')}`);
}
