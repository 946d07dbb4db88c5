import { randomUUID } from 'node:crypto';
import { type Mark, markReplaying } from '../../src/store/dead-letters/mark.ts';
import { createReplay } from '../../src/store/replays/create.ts';
import type { Sql } from '../../src/store/sql.ts';

/** Marks dead letters as a replay of the operator `boss` does, without sending anything. Returns the ids of the marked ones. */
export async function markAsBoss(sql: Sql, marks: readonly Mark[]): Promise<ReadonlySet<string> | null> {
  const runner = randomUUID();
  const order = { program: 'command' as const, operator: 'boss', why: null, filter: {}, correction: {} };
  const letters = marks.map(({ id, replays }) => ({ id, replays, seen: '' }));
  const id = await createReplay(sql, { ...order, rate: null, abortOver: null }, letters, 'running', runner);
  return await markReplaying(sql, { id, runner }, marks);
}
