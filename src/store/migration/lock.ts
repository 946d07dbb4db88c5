import { statement } from '../sql.ts';
import { MigrationError, type MigrationSession } from './session.ts';

const ASK_AGAIN_MS = 200;
/** Also the number that versions before this one lock, and not the one of Prisma's own engine (72707369). */
const ADVISORY_LOCK = 72_707_370;

const TRY_LOCK = statement('migration.try-lock', `select pg_try_advisory_lock(${ADVISORY_LOCK}) as free`);

/** A script at work on another connection, with which a version before this one ran it beside its lock. */
const LEFT_AT_WORK = statement(
  'migration.left-at-work',
  `select exists (select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
    and application_name = 'cdr-ingest migrate' and state = 'active' and query !~ 'advisory_lock|pg_stat_activity') as busy`,
);

/**
 * Takes the lock that only one migrating process has, and which ends with its session. Whoever waits for it asks again and again:
 * a statement that waits has a snapshot, and an index that is built CONCURRENTLY waits for everybody who has an older one. Throws
 * MigrationError after `patienceMs`.
 */
export async function waitForTurn(session: MigrationSession, patienceMs: number): Promise<void> {
  await waitUntil(session, patienceMs, async () => {
    const [row] = await session.sql<{ free: boolean }>(TRY_LOCK, []);
    return row?.free === true;
  });
}

/** Waits for what PostgreSQL goes on with although the process that began it was killed. Throws MigrationError. */
export async function waitForLeftovers(session: MigrationSession, patienceMs: number): Promise<void> {
  await waitUntil(session, patienceMs, async () => {
    const [row] = await session.sql<{ busy: boolean }>(LEFT_AT_WORK, []);
    return row?.busy === false;
  });
}

async function waitUntil(
  { pause }: MigrationSession,
  patienceMs: number,
  isDone: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await isDone())) {
    if (performance.now() >= deadline)
      throw new MigrationError(`another process has been migrating this database for ${patienceMs / 1000} s`);
    await pause(ASK_AGAIN_MS);
  }
}
