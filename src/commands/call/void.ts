import type { Command } from 'commander';
import { addUsage } from '../help.ts';
import { addBookingOptions, type BookingOptions, book, bookingVariables } from './booking.ts';

/** `call void`: takes back everything that is charged for a call. */
export function registerVoid(call: Command): void {
  const command = addBookingOptions(call.command('void'))
    .description('Take back everything that is charged for a stored call, by an entry of the opposite sign')
    .action(run);
  addUsage(command, {
    examples: [
      'cdr-ingest call void 1448282828.10 --dry-run',
      'cdr-ingest call void 1448282828.10 --why "a test call"',
    ],
    environment: bookingVariables,
  });
}

async function run(uniqueid: string, options: BookingOptions): Promise<void> {
  await book('void', uniqueid, options, async () => ({ change: {}, deadLetter: null, said: [] }));
}
