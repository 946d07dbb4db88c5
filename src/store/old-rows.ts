import type { Sql, Statement } from './sql.ts';

/** How the old rows of a table are removed. Both statements take the time before which a row is old, and return a `count`. */
export interface OldRows {
  /** Removes some of them, at most `atOnce`: one transaction, so that locks are short. */
  remove: Statement;
  atOnce: number;
  count: Statement;
}

/** Removes the rows that are older than `before`, in portions. Returns how many. Throws what the database throws. */
export async function removeOld(sql: Sql, { remove, atOnce }: OldRows, before: Date): Promise<number> {
  for (let total = 0; ; ) {
    const removed = await counted(sql, remove, before);
    total += removed;
    if (removed < atOnce) return total;
  }
}

/** How many rows `removeOld` would remove. Throws what the database throws. */
export async function countOld(sql: Sql, { count }: OldRows, before: Date): Promise<number> {
  return await counted(sql, count, before);
}

async function counted(sql: Sql, statement: Statement, before: Date): Promise<number> {
  const [row] = await sql<{ count: number }>(statement, [before]);
  return row?.count ?? 0;
}
