import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../package-root.ts';
import type { DatabaseAddress, DatabaseTls } from './connection.ts';
import { DatabaseUrlError } from './database-url.ts';
import { describeFailure, isLockTimeout } from './failures.ts';
import { applyMigration } from './migration/apply.ts';
import { createHistory, type History, holdsOthers, readHistory } from './migration/history.ts';
import { waitForLeftovers, waitForTurn } from './migration/lock.ts';
import { type Migration, readMigrations } from './migration/scripts.ts';
import { inMigrationSession, MigrationError, type MigrationSession } from './migration/session.ts';

export { MigrationError } from './migration/session.ts';

export interface MigrationSource {
  /** Where schema.prisma and migrations/ are. */
  folder?: string;
  tls?: DatabaseTls | undefined;
}

export interface MigrateOptions extends MigrationSource {
  /** Milliseconds to wait for another process that is migrating the same database, and for the lock of a table. */
  lockTimeoutMs?: number;
  /** Ends the migrating: the statement under way is cancelled, and nothing of its migration is kept. */
  signal?: AbortSignal;
}

/** The package's own `prisma/`. */
const PRISMA_FOLDER = fileURLToPath(new URL('prisma/', PACKAGE_ROOT));
const LOCK_TIMEOUT_MS = 300_000;

/**
 * Brings a database to the current schema; several processes may do so at once, and each may be killed at any time. Returns the
 * names of the migrations that it applied, in order. A migration is one transaction together with its row of history, or
 * a step that can be repeated (docs/decisions/0014-migrations-in-one-session.md). Throws MigrationError.
 */
export async function migrate(databaseUrl: string, options: MigrateOptions = {}): Promise<string[]> {
  const { folder = PRISMA_FOLDER, lockTimeoutMs = LOCK_TIMEOUT_MS, tls, signal } = options;
  const migrations = await readMigrations(folder);
  return await inMigrationSession({ url: databaseUrl, tls }, signal, (session) =>
    applyAll(session, migrations, lockTimeoutMs, signal),
  ).catch((error: unknown) => {
    throw error instanceof MigrationError || error instanceof DatabaseUrlError
      ? error
      : new MigrationError(describeFailure(error), { cause: error });
  });
}

async function applyAll(
  session: MigrationSession,
  migrations: readonly Migration[],
  patienceMs: number,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  await waitForTurn(session, patienceMs);
  const history = await readHistory(session.sql);
  if (history.applied.size + history.unfinished.size === 0) await begin(session);
  if (history.unfinished.size > 0) await waitForLeftovers(session, patienceMs);
  const applied: string[] = [];
  for (const migration of migrations.filter(({ name }) => !history.applied.has(name))) {
    const isUnfinished = history.unfinished.has(migration.name);
    await applyMigration(session, migration, isUnfinished, patienceMs).catch((error: unknown) => {
      if (signal?.aborted) throw stopped(migration);
      throw isLockTimeout(error) ? locked(migration, patienceMs) : failed(migration, error);
    });
    applied.push(migration.name);
  }
  return applied;
}

async function begin({ sql }: MigrationSession): Promise<void> {
  if (await holdsOthers(sql))
    throw new MigrationError('the database contains other tables; cdr-ingest needs its own database');
  await createHistory(sql);
}

function stopped({ name }: Migration): MigrationError {
  return new MigrationError(`stopped before migration ${name} was done; run "cdr-ingest migrate" again`);
}

function locked({ name }: Migration, patienceMs: number): MigrationError {
  return new MigrationError(
    `migration ${name} was not applied: somebody has kept a table locked for ${patienceMs / 1000} s (pg_blocking_pids says who)`,
  );
}

function failed({ name }: Migration, error: unknown): MigrationError {
  if (error instanceof MigrationError) return error;
  return new MigrationError(`migration ${name} failed and was rolled back: ${describeFailure(error)}`, {
    cause: error,
  });
}

/** The migrations of a database compared with those of this version. */
export interface MigrationState {
  /** Names of the migrations that the database lacks, in order. */
  pending: string[];
  /** Names of migrations in the database that this version does not know: a later version applied them. */
  newer: string[];
}

/** Compares a database with the migrations of this version. Throws what the database throws. */
export async function migrationState(url: string, source: MigrationSource = {}): Promise<MigrationState> {
  const { folder = PRISMA_FOLDER, tls } = source;
  const { applied } = await historyOf({ url, tls });
  const known = (await readMigrations(folder)).map(({ name }) => name);
  return {
    pending: known.filter((name) => !applied.has(name)),
    newer: [...applied].filter((name) => !known.includes(name)).sort(),
  };
}

/** Names of the migrations that the database lacks, in order. Throws what the database throws. */
export async function pendingMigrations(url: string, source: MigrationSource = {}): Promise<string[]> {
  return (await migrationState(url, source)).pending;
}

async function historyOf(database: DatabaseAddress): Promise<History> {
  return await inMigrationSession(database, undefined, ({ sql }) => readHistory(sql));
}
