import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlDriverAdapter, SqlQueryable } from '@prisma/driver-adapter-utils';
import type { MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm';
import { PACKAGE_ROOT } from '../package-root.ts';
import type { DatabaseTls } from './connection.ts';
import { DatabaseUrlError } from './database-url.ts';
import { describeFailure } from './failures.ts';
import { MigrationError, query, withLock } from './migration-lock.ts';
import { type DatabaseAddress, migrationConnection, withSchemaEngine } from './schema-engine.ts';

export { MigrationError } from './migration-lock.ts';

export interface MigrationSource {
  /** Where schema.prisma and migrations/ are. */
  folder?: string;
  tls?: DatabaseTls | undefined;
}

export interface MigrateOptions extends MigrationSource {
  /** Milliseconds to wait for another process that is migrating the same database. */
  lockTimeoutMs?: number;
}

/** The package's own `prisma/`. */
const PRISMA_FOLDER = fileURLToPath(new URL('prisma/', PACKAGE_ROOT));
const LOCK_TIMEOUT_MS = 300_000;
const EVERYTHING = { externalTables: [], externalEnums: [] };

/**
 * Brings a database to the current schema; several processes may do so at once. Returns the names of the migrations that
 * it applied, in order. A migration is one transaction: if it fails, nothing of it is kept, and the next call tries it
 * again; what an index that is built CONCURRENTLY leaves behind is dropped then. Throws MigrationError.
 */
export async function migrate(databaseUrl: string, options: MigrateOptions = {}): Promise<string[]> {
  const { folder = PRISMA_FOLDER, lockTimeoutMs = LOCK_TIMEOUT_MS, tls } = options;
  const database = { url: databaseUrl, tls };
  const schema = await readSchema(folder);
  const migrations = await readMigrations(folder);
  return await withConnection(database, (adapter) =>
    withLock(adapter, lockTimeoutMs, async () => {
      const history = await readHistory(adapter);
      await dropUnfinishedIndexes(adapter, migrations, history);
      return await withSchemaEngine(database, schema, (engine) => apply(engine, migrations, history));
    }),
  ).catch((error: unknown) => {
    throw error instanceof MigrationError || error instanceof DatabaseUrlError
      ? error
      : new MigrationError(describeFailure(error), { cause: error });
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
  const { applied } = await withConnection({ url, tls }, readHistory);
  const { migrationDirectories } = await readMigrations(folder);
  const known = migrationDirectories.map(({ path }) => path);
  return {
    pending: known.filter((name) => !applied.has(name)),
    newer: [...applied].filter((name) => !known.includes(name)).sort(),
  };
}

/** Names of the migrations that the database lacks, in order. Throws what the database throws. */
export async function pendingMigrations(url: string, source: MigrationSource = {}): Promise<string[]> {
  return (await migrationState(url, source)).pending;
}

/**
 * The SQL that would bring a database to schema.prisma; '' if nothing differs. Prisma compares tables, columns and indexes,
 * not CHECKs, functions and storage settings. Throws what the database throws.
 */
export async function schemaDrift(databaseUrl: string, folder = PRISMA_FOLDER): Promise<string> {
  const schema = await readSchema(folder);
  const files = [{ path: 'schema.prisma', content: schema }];
  const { exitCode, stdout } = await withSchemaEngine({ url: databaseUrl }, schema, (engine) =>
    engine.diff({
      from: { tag: 'schemaDatasource', files, configDir: folder },
      to: { tag: 'schemaDatamodel', files },
      script: true,
      exitCode: true,
      filters: EVERYTHING,
    }),
  );
  return exitCode === 0 ? '' : (stdout ?? '');
}

async function apply(engine: SchemaEngine, migrations: MigrationList, history: History): Promise<string[]> {
  // Their scripts were rolled back, each being one transaction. The engine goes on only if it is told so.
  for (const migrationName of new Set(history.unfinished)) {
    await engine.markMigrationRolledBack({ migrationName });
  }
  const applied: string[] = [];
  for (const [index, { path }] of migrations.migrationDirectories.entries()) {
    // One at a time, so that the one that fails has a name.
    const migrationDirectories = migrations.migrationDirectories.slice(0, index + 1);
    const migrationsList = { ...migrations, migrationDirectories };
    const result = await engine
      .applyMigrations({ migrationsList, filters: EVERYTHING })
      .catch((error: unknown) => Promise.reject(migrationError(path, error)));
    applied.push(...result.appliedMigrationNames);
  }
  return applied;
}

const CONCURRENTLY = /\bcreate\s+(?:unique\s+)?index\s+concurrently\s+"?(\w+)"?/i;

/** An index whose building was interrupted stays, invalid and in the way of the next try. */
async function dropUnfinishedIndexes(
  sql: SqlQueryable,
  { migrationDirectories }: MigrationList,
  { unfinished }: History,
): Promise<void> {
  for (const { path, migrationFile } of migrationDirectories) {
    const { content } = migrationFile;
    const [, name] = content.tag === 'ok' ? (CONCURRENTLY.exec(content.value) ?? []) : [];
    if (name === undefined || !unfinished.includes(path)) continue;
    const invalid = await sql.queryRaw(
      query(`select from pg_index where indexrelid = to_regclass('"${name}"') and not indisvalid`),
    );
    if (invalid.rows.length > 0) await sql.executeRaw(query(`drop index concurrently "${name}"`));
  }
}

/** The engine's code for a database that holds tables but no history of migrations. */
const NOT_EMPTY = 'P3005';

function migrationError(name: string, error: unknown): MigrationError {
  if (error instanceof Error && 'code' in error && error.code === NOT_EMPTY) {
    return new MigrationError('the database contains other tables; cdr-ingest needs its own database', {
      cause: error,
    });
  }
  // The engine puts "external connector error" before its message and its own call stack after it.
  const [told = ''] = (error instanceof Error ? error.message : String(error)).split(/\n\s+0: /);
  const reason = told
    .replace(/^external connector error/, '')
    .replace(/\s+/g, ' ')
    .trim();
  return new MigrationError(`migration ${name} failed and was rolled back: ${reason}`, { cause: error });
}

async function readSchema(folder: string): Promise<string> {
  return await readFile(join(folder, 'schema.prisma'), 'utf8');
}

async function readMigrations(folder: string): Promise<MigrationList> {
  const baseDir = join(folder, 'migrations');
  const entries = await readdir(baseDir, { withFileTypes: true });
  const names = entries.flatMap((entry) => (entry.isDirectory() ? entry.name : [])).sort();
  const migrationDirectories = names.map(async (name) => {
    const value = await readFile(join(baseDir, name, 'migration.sql'), 'utf8');
    return { path: name, migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value } } };
  });
  const lockfile = await readFile(join(baseDir, 'migration_lock.toml'), 'utf8');
  return {
    baseDir,
    lockfile: { path: 'migration_lock.toml', content: lockfile },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(migrationDirectories),
  };
}

interface History {
  applied: Set<string>;
  /** Started and neither finished nor marked as rolled back: they failed, or their process died. */
  unfinished: string[];
}

async function readHistory(sql: SqlQueryable): Promise<History> {
  const table = await sql.queryRaw(query(`select to_regclass('_prisma_migrations') is not null`));
  if (table.rows[0]?.[0] !== true) return { applied: new Set(), unfinished: [] };
  const { rows } = await sql.queryRaw(
    query(
      'select migration_name, finished_at is not null from _prisma_migrations where rolled_back_at is null',
    ),
  );
  const named = (isFinished: boolean) =>
    rows.flatMap(([name, is]) => (is === isFinished ? String(name) : []));
  return { applied: new Set(named(true)), unfinished: named(false) };
}

async function withConnection<Result>(
  database: DatabaseAddress,
  work: (adapter: SqlDriverAdapter) => Promise<Result>,
): Promise<Result> {
  const adapter = await new PrismaPg(migrationConnection(database)).connect();
  try {
    return await work(adapter);
  } finally {
    await adapter.dispose();
  }
}
