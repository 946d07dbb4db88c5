import { setTimeout as sleep } from 'node:timers/promises';
import type { SqlDriverAdapter, SqlQueryable } from '@prisma/driver-adapter-utils';

/** A migration could not be applied, or the wait for another process's migration took too long. */
export class MigrationError extends Error {}

const ASK_AGAIN_MS = 200;
/** Not the number that the engine itself locks (72707369), for that lock is taken inside this one. */
const ADVISORY_LOCK = 72_707_370;

/**
 * Does `work` while no other process migrates this database. The lock belongs to an open transaction, so that it also holds
 * behind a pooler and is released when the connection breaks. Whoever waits for it asks again and again: a statement that
 * waits has a snapshot, and an index that is built CONCURRENTLY waits for everybody who has an older one.
 */
export async function withLock<Result>(
  adapter: SqlDriverAdapter,
  timeoutMs: number,
  work: () => Promise<Result>,
): Promise<Result> {
  const transaction = await adapter.startTransaction();
  try {
    await transaction.executeRaw(query('set local idle_in_transaction_session_timeout = 0'));
    const deadline = performance.now() + timeoutMs;
    while (!(await tryLock(transaction))) {
      if (performance.now() >= deadline)
        throw new MigrationError(
          `another process has been migrating this database for ${timeoutMs / 1000} s`,
        );
      await sleep(ASK_AGAIN_MS);
    }
    return await work();
  } finally {
    await transaction.executeRaw(query('rollback')).catch(() => undefined);
    await transaction.rollback();
  }
}

async function tryLock(sql: SqlQueryable): Promise<boolean> {
  const { rows } = await sql.queryRaw(query(`select pg_try_advisory_xact_lock(${ADVISORY_LOCK})`));
  return rows[0]?.[0] === true;
}

/** A statement without values, as the adapter wants it. */
export function query(sql: string) {
  return { sql, args: [], argTypes: [] };
}
