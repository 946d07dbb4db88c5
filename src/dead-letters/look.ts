import { readDeadLetter, readEvents, readStored } from '../store/dead-letters/history.ts';
import type { Sql } from '../store/sql.ts';
import { type DeadLetterHistory, deadLetterHistoryOf } from './history.ts';

/** One dead letter with its history and the call stored under its uniqueid; undefined where there is none. */
export async function readDeadLetterHistory(
  sql: Sql,
  id: string,
  systemCurrency: string,
): Promise<DeadLetterHistory | undefined> {
  const deadLetter = await readDeadLetter(sql, id);
  if (deadLetter === undefined) return undefined;
  const uniqueid = deadLetter.edits.uniqueid ?? deadLetter.uniqueid;
  const [events, stored] = await Promise.all([
    readEvents(sql, id),
    uniqueid === null ? undefined : readStored(sql, uniqueid),
  ]);
  return deadLetterHistoryOf(deadLetter, events, stored, systemCurrency);
}
