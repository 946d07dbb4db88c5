import type { Health } from '../broker/health/health.ts';
import type { databaseOf } from '../connections.ts';
import { describeFailure, openDatabase } from '../store/database.ts';
import { type DatabaseState, readDatabaseState } from '../store/health.ts';
import { type MigrationState, migrationState } from '../store/migrate.ts';
import { unsuitableIn } from '../store/suitability.ts';

const TIMEOUT_MS = 10_000;
/** Clocks further apart make times in logs, dead letters and calls hard to compare. */
const CLOCK_LIMIT_MS = 2000;

/** The checks of a database. Never rejects for a database that cannot be used: that is what it says then. */
export async function examineDatabase(
  address: ReturnType<typeof databaseOf>,
): Promise<(Health & { check: string })[]> {
  const database = openDatabase({
    ...address,
    poolSize: 1,
    statementTimeoutMs: TIMEOUT_MS,
    connectTimeoutMs: TIMEOUT_MS,
    applicationName: 'cdr-ingest doctor',
  });
  const unreached: Health = { state: 'unknown', detail: 'not looked at: the database cannot be used' };
  try {
    const session: Health = sessionHealth(await unsuitableIn(address));
    // What goes through a pooler that forgets may fail in any way.
    if (session.state === 'failed') return [{ check: 'session', ...session }];
    const state = await readDatabaseState(database.sql);
    const migrations = await migrationState(address.url, address);
    return [
      { check: 'database', ...databaseHealth(state) },
      { check: 'session', ...session },
      { check: 'schema', ...schemaHealth(migrations) },
      { check: 'clock', ...clockHealth(state) },
    ];
  } catch (error) {
    const mend = 'DATABASE_URL must lead to a PostgreSQL primary that is running';
    return [
      { check: 'database', state: 'failed', detail: `${describeFailure(error)}: ${mend}` },
      { check: 'session', ...unreached },
      { check: 'schema', ...unreached },
      { check: 'clock', ...unreached },
    ];
  } finally {
    await database.close(TIMEOUT_MS);
  }
}

function sessionHealth(problems: readonly string[]): Health {
  if (problems.length > 0) return { state: 'failed', detail: problems.join('; ') };
  return { state: 'ok', detail: 'UTF8; settings and prepared statements stay as long as a connection' };
}

function databaseHealth({ version, isWritable, unsafe, synchronousStandbys }: DatabaseState): Health {
  if (!isWritable)
    return {
      state: 'failed',
      detail: `PostgreSQL ${version} takes no writes: DATABASE_URL must lead to the primary`,
    };
  if (unsafe.length > 0)
    return {
      state: 'failed',
      detail: `PostgreSQL ${version} may lose commits: ${unsafe.join(', ')} is off, expected on (postgresql.conf)`,
    };
  const standbys =
    synchronousStandbys === '' ? 'no synchronous standby' : `synchronous: ${synchronousStandbys}`;
  return { state: 'ok', detail: `PostgreSQL ${version}, takes writes, ${standbys}` };
}

function schemaHealth({ pending, newer }: MigrationState): Health {
  if (pending.length > 0)
    return { state: 'failed', detail: `run "cdr-ingest migrate": ${pending.join(', ')} is missing` };
  if (newer.length === 0) return { state: 'ok', detail: 'every migration is applied' };
  return {
    state: 'ok',
    detail: `every migration is applied, and of a later version ${newer.join(', ')}: upgrade cdr-ingest here too`,
  };
}

function clockHealth({ clockAheadMs, roundTripMs }: DatabaseState): Health {
  const ahead = clockAheadMs >= 0 ? 'ahead of' : 'behind';
  const detail = `the database's clock is ${Math.abs(clockAheadMs)} ms ${ahead} this one (±${Math.ceil(roundTripMs / 2)} ms)`;
  const isOff = Math.abs(clockAheadMs) - roundTripMs / 2 > CLOCK_LIMIT_MS;
  return isOff ? { state: 'failed', detail: `${detail}: let NTP keep both` } : { state: 'ok', detail };
}
