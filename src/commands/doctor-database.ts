import type { Health } from '../broker/health/health.ts';
import { type DatabaseConfig, databaseOf } from '../connections.ts';
import { type DatabaseState, readDatabaseState } from '../store/health.ts';
import { type MigrationState, migrationState } from '../store/migrate.ts';
import { unsuitableIn } from '../store/suitability.ts';
import { withDatabase } from './database.ts';
import { CommandError } from './exit.ts';

const SESSION = { name: 'doctor', statementTimeoutMs: 10_000 };
/** With clocks further apart, times in logs, dead letters and calls are hard to compare. */
const CLOCK_LIMIT_MS = 2000;

type Check = Health & { check: string };

/** The checks of the database. A database that cannot be used is a failed check; only wrong usage is thrown. */
export async function examineDatabase(config: DatabaseConfig): Promise<Check[]> {
  const address = databaseOf(config);
  const skipped: Health = { state: 'unknown', detail: 'skipped: database unreachable' };
  try {
    return await withDatabase(config, SESSION, async ({ sql }) => {
      const session = sessionHealth(await unsuitableIn(address));
      // Through a pooler that drops session state, any further check may fail for that reason alone.
      if (session.state === 'failed') return [{ check: 'session', ...session }];
      const state = await readDatabaseState(sql);
      const migrations = await migrationState(address.url, address);
      return [
        { check: 'database', ...databaseHealth(state) },
        { check: 'session', ...session },
        { check: 'schema', ...schemaHealth(migrations) },
        { check: 'clock', ...clockHealth(state) },
      ];
    });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return [
      { check: 'database', state: 'failed', detail: error.message },
      { check: 'session', ...skipped },
      { check: 'schema', ...skipped },
      { check: 'clock', ...skipped },
    ];
  }
}

function sessionHealth(problems: readonly string[]): Health {
  if (problems.length > 0) return { state: 'failed', detail: problems.join('; ') };
  return { state: 'ok', detail: 'UTF8; settings and prepared statements last as long as the connection' };
}

function databaseHealth({ version, isWritable, unsafe, synchronousStandbys }: DatabaseState): Health {
  if (!isWritable)
    return {
      state: 'failed',
      detail: `PostgreSQL ${version} is read-only: DATABASE_URL must lead to the primary`,
    };
  if (unsafe.length > 0)
    return {
      state: 'failed',
      detail: `PostgreSQL ${version} may lose commits: ${unsafe.join(', ')} is off, expected on (postgresql.conf)`,
    };
  const standbys =
    synchronousStandbys === '' ? 'no synchronous standby' : `synchronous standbys: ${synchronousStandbys}`;
  return { state: 'ok', detail: `PostgreSQL ${version}, writable, ${standbys}` };
}

function schemaHealth({ pending, newer }: MigrationState): Health {
  if (pending.length > 0)
    return { state: 'failed', detail: `missing ${pending.join(', ')}: run "cdr-ingest migrate"` };
  if (newer.length === 0) return { state: 'ok', detail: 'all migrations are applied' };
  return {
    state: 'ok',
    detail: `all migrations are applied, and ${newer.join(', ')} of a later version: upgrade cdr-ingest here too`,
  };
}

function clockHealth({ clockAheadMs, roundTripMs }: DatabaseState): Health {
  const ahead = clockAheadMs >= 0 ? 'ahead of' : 'behind';
  const detail = `the database's clock is ${Math.abs(clockAheadMs)} ms ${ahead} this one (±${Math.ceil(roundTripMs / 2)} ms)`;
  const isOff = Math.abs(clockAheadMs) - roundTripMs / 2 > CLOCK_LIMIT_MS;
  return isOff
    ? { state: 'failed', detail: `${detail}: synchronize both with NTP` }
    : { state: 'ok', detail };
}
