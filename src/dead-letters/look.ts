import { readEvents, readLetter, readStored } from '../store/dead-letters/history.ts';
import type { Sql } from '../store/sql.ts';
import { type Story, storyOf } from './history.ts';

/** One dead letter with its history and the call stored under its uniqueid; undefined where there is none. */
export async function readStory(sql: Sql, id: string, systemCurrency: string): Promise<Story | undefined> {
  const letter = await readLetter(sql, id);
  if (letter === undefined) return undefined;
  const uniqueid = letter.edits.uniqueid ?? letter.uniqueid;
  const [events, stored] = await Promise.all([
    readEvents(sql, id),
    uniqueid === null ? undefined : readStored(sql, uniqueid),
  ]);
  return storyOf(letter, events, stored, systemCurrency);
}
