import type { Command } from 'commander';
import { type CallFilterText, expectServed, readCallFilter } from '../../calls/filter.ts';
import { ConfigError } from '../../config.ts';
import type { CallFilter } from '../../store/calls/filter.ts';
import type { SessionSettings } from '../database.ts';
import { fromOptions } from '../dead/options.ts';

/** The database session of the `call` commands. */
export const callSession: SessionSettings = { name: 'call', poolSize: 2, statementTimeoutMs: 120_000 };

/** Adds the filters that the commands have in common, all of which must match. */
export function addFilters(command: Command): Command {
  return command
    .option('--uniqueid <uniqueid>', 'only this uniqueid')
    .option('--callid <callid>', 'only this callid, which the legs of a call share')
    .option('--customer <id>', 'only this customer (scustomer)')
    .option('--number <number>', 'snumber, cnumber or dnumber, with or without blanks, + or 00')
    .option('--machine <machine>', 'only this machine')
    .option('--source <name>', 'only of this feed; "" if they came by none')
    .option('--since <time>', 'started at or after this time: 2h, 7d or ISO 8601')
    .option('--until <time>', 'started before this time: 2h, 7d or ISO 8601')
    .option('--invoice <id>', 'only on this invoice')
    .option('--charged <amount>', "in the customer's currency: 12.5, 100.. (at least), ..0 (at most) or 1..5")
    .option('--corrected', 'only those that were corrected, voided or put on an invoice later');
}

/** The filters as they were typed. */
export interface FilterOptions extends CallFilterText {
  corrected?: true;
}

/** Reads the filters. Throws ConfigError for one that is wrong, and where they would select from every call. */
export function filterOf({ corrected, ...options }: FilterOptions): CallFilter {
  const empty = Object.entries(options).find(([name, text]) => name !== 'source' && text?.trim() === '');
  if (empty !== undefined) throw new ConfigError(`--${empty[0]}: expected a value, got ""`);
  const filter = fromOptions(() => readCallFilter(options, new Date()));
  fromOptions(() => expectServed(filter));
  return corrected ? { ...filter, corrected } : filter;
}
