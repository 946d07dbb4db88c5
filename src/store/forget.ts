import { Debug } from '@prisma/client/runtime/client';
import { clearLogs } from '@prisma/debug';

/** As many lines as Prisma remembers. */
const REMEMBERED = 100;

const debug = Debug('cdr-ingest:forget');

/**
 * Makes Prisma forget the statements that it has run. Its client and its driver adapter each keep what their last
 * hundred lines of debugging would have shown, asked for or not: the values of fifty batches, tens of megabytes of
 * what callers and switches sent. The adapter's list can be emptied; the client's forgets the oldest for each new line.
 */
export function forgetStatements(): void {
  clearLogs();
  // Somebody who debugs wants to see the statements, and not a hundred lines that say nothing.
  if (debug.enabled) return;
  for (let line = 0; line < REMEMBERED; line += 1) debug('');
}
