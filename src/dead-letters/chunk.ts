import { mapPairs } from '../pairs.ts';
import type { Database } from '../store/database.ts';
import { correctDeadLetters } from '../store/dead-letters/edit.ts';
import { markReplaying, type Replayable, readReplayable } from '../store/dead-letters/mark.ts';
import type { ChosenLetter, Run } from '../store/replays/create.ts';
import { seeCorrected, skipLetters } from '../store/replays/run.ts';
import { retrying } from '../store/retrying.ts';
import type { Correction } from './correction.ts';
import { type Skipped, withCorrections } from './corrections.ts';
import { isTooLarge, newTokens, nextAttempt, type ReplayMessage } from './message.ts';
import type { Limits } from './pace.ts';

/** What an operator asked for. */
export interface ReplayOrder extends Limits {
  operator: string;
  why: string | null;
  correction: Correction;
}

export interface ChunkContext {
  database: Pick<Database, 'sql' | 'transaction'>;
  /** The worker's limit (MAX_BODY_BYTES). */
  maxBodyBytes: number;
}

/** What is to be published of a chunk. */
export interface MarkedChunk {
  messages: ReplayMessage[];
  sent: { id: string; attempt: number }[];
  /** How many were left out. */
  skipped: number;
  /** Nothing was marked, because this process may not go on with the replay. */
  isOver: boolean;
}

const CORRECT_TIMEOUT_MS = 30_000;
const CHANGED = 'changed since it was selected';
const PRUNED = 'has been pruned since';

/**
 * Corrects a chunk of dead letters and gives each a new attempt, so that both are on record before anything is sent. Why
 * one is left out is written down. Throws what the database throws.
 */
export async function markChunk(
  letters: readonly ChosenLetter[],
  run: Run,
  order: ReplayOrder,
  { database, maxBodyBytes }: ChunkContext,
): Promise<MarkedChunk> {
  const skipped: Skipped[] = [];
  const ids = letters.map(({ id }) => id);
  const found = await retrying(() => readReplayable(database.sql, ids));
  const unchanged = asSelected(letters, found, skipped);
  const rows = await correct(unchanged, skipped, run, order, database);
  const attempts = mapPairs(rows, newTokens(rows.length), nextAttempt);
  const [small, large] = parted(attempts, ({ message }) => !isTooLarge(message, maxBodyBytes));
  skipped.push(...large.map(({ mark }) => ({ id: mark.id, why: `larger than ${maxBodyBytes} bytes` })));
  const marks = small.map(({ mark }) => mark);
  const marked = await retrying(() => markReplaying(database.sql, run, marks));
  const [sent, changed] = parted(small, ({ mark }) => marked?.has(mark.id) === true);
  if (marked !== null) skipped.push(...changed.map(({ mark }) => ({ id: mark.id, why: CHANGED })));
  await retrying(() => skipLetters(database.sql, run.id, skipped));
  return {
    messages: sent.map(({ message }) => message),
    sent: sent.map(({ mark: { id, replays } }) => ({ id, attempt: replays + 1 })),
    skipped: skipped.length,
    isOver: marked === null,
  };
}

/** The rows that are still as they were selected. */
export function asSelected(
  letters: readonly ChosenLetter[],
  found: readonly Replayable[],
  skipped: Skipped[],
): Replayable[] {
  const byId = new Map(found.map((row) => [row.id, row]));
  return letters.flatMap(({ id, replays, seen }) => {
    const row = byId.get(id);
    if (row?.replays === replays && row.seen === seen) return [row];
    skipped.push({ id, why: row === undefined ? PRUNED : CHANGED });
    return [];
  });
}

/** Stores the corrections. Returns the corrected rows. */
async function correct(
  found: readonly Replayable[],
  skipped: Skipped[],
  { id: replay }: Run,
  { operator: by, why, correction }: ReplayOrder,
  database: ChunkContext['database'],
): Promise<Replayable[]> {
  const { rows, corrections, skipped: unsendable } = withCorrections(found, correction);
  skipped.push(...unsendable);
  if (corrections.length === 0) return rows;
  const store = () =>
    database.transaction(
      async (sql) => {
        const corrected = await correctDeadLetters(sql, corrections, { by, why, program: null });
        await seeCorrected(sql, replay, [...corrected]);
        return corrected;
      },
      { timeoutMs: CORRECT_TIMEOUT_MS },
    );
  const stored = await retrying(store);
  const changed = new Set(corrections.flatMap(({ id }) => (stored.has(id) ? [] : [id])));
  skipped.push(...[...changed].map((id) => ({ id, why: CHANGED })));
  return rows.filter(({ id }) => !changed.has(id));
}

function parted<Item>(items: readonly Item[], belongs: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(belongs), items.filter((item) => !belongs(item))];
}
