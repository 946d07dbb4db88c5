import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';
import * as engineModule from '@prisma/schema-engine-wasm/schema_engine_bg';
import { connectionConfig } from '../src/store/connection.ts';
import { readMigrations } from '../src/store/migration/scripts.ts';

const PRISMA_FOLDER = fileURLToPath(new URL('../prisma/', import.meta.url));

type Pool = ReturnType<Awaited<ReturnType<PrismaPg['connect']>>['underlyingDriver']>;

/** TypeScript's libraries for Node do not declare this global. */
declare const WebAssembly: {
  instantiate(
    bytes: Uint8Array,
    imports: Record<string, Record<string, unknown>>,
  ): Promise<{ instance: { exports: Record<string, unknown> } }>;
};

/** The engine puts the message of a panic here; the error that it throws says only "unreachable". */
const panics = {
  message: '',
  set_message(text: string) {
    this.message = text;
  },
};

let loading: Promise<void> | undefined;

/**
 * Runs `work` with Prisma's schema engine, as WebAssembly, on a database. Prisma's CLI would download a binary instead, which
 * fails where only package registries can be reached. `schema` is the text of schema.prisma. Throws what the database or
 * the engine throws.
 */
export async function withSchemaEngine<Result>(
  databaseUrl: string,
  schema: string,
  work: (engine: SchemaEngine) => Promise<Result>,
): Promise<Result> {
  loading ??= load();
  await loading;
  panics.message = '';
  const pools: Pool[] = [];
  try {
    const engine = await engineModule.SchemaEngine.new(
      { datamodels: [['schema.prisma', schema]] },
      () => undefined,
      bindMigrationAwareSqlAdapterFactory(adapterFactory(databaseUrl, pools)),
    );
    return await work(engine);
  } catch (error) {
    if (panics.message !== '') throw new Error(`schema engine: ${panics.message}`, { cause: error });
    throw error;
  } finally {
    await Promise.all(pools.map((pool) => pool.ended || pool.end()));
  }
}

async function load(): Promise<void> {
  const script = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const bytes = await readFile(script.replace(/\.js$/, '.wasm'));
  const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': { ...engineModule } });
  Object.assign(globalThis, { PRISMA_WASM_PANIC_REGISTRY: panics });
  engineModule.__wbg_set_wasm(instance.exports);
  const start = instance.exports.__wbindgen_start;
  if (typeof start === 'function') start();
}

function adapterFactory(url: string, pools: Pool[]): SqlMigrationAwareDriverAdapterFactory {
  const factory = new PrismaPg(
    connectionConfig({
      url,
      applicationName: 'cdr-ingest schema',
      connectTimeoutMs: 10_000,
      poolSize: 2,
      statementTimeoutMs: 60_000,
      lockTimeoutMs: 30_000,
    }),
  );
  return {
    provider: factory.provider,
    adapterName: factory.adapterName,
    connect: async () => {
      const adapter = await factory.connect();
      const pool = adapter.underlyingDriver();
      pools.push(pool);
      return fitted(adapter, pool);
    },
    connectToShadowDb: () => Promise.reject(new Error('this engine is used without a shadow database')),
  };
}

/** PostgreSQL's internal type "char", one byte; the catalogs are full of it. */
const CATALOG_CHAR = 18;
const TEXT = 25;

/**
 * The schema engine reads columns of the type "char", which the adapter, made for the query engine, cannot.
 */
function fitted(adapter: SqlDriverAdapter, pool: Pool): SqlDriverAdapter {
  const charColumns = new WeakMap<object, number[]>();
  const query = pool.query.bind(pool) as (config: unknown) => Promise<{
    rows: unknown[];
    fields: { dataTypeID: number }[];
  }>;
  const readingChars = async (config: unknown) => {
    const result = await query(config);
    const indexes = result.fields.flatMap(({ dataTypeID }, index) =>
      dataTypeID === CATALOG_CHAR ? [index] : [],
    );
    charColumns.set(result.rows, indexes);
    for (const field of result.fields) if (field.dataTypeID === CATALOG_CHAR) field.dataTypeID = TEXT;
    return result;
  };
  Object.assign(pool, { query: readingChars });

  const queryRaw = adapter.queryRaw.bind(adapter);
  return Object.assign(adapter, {
    queryRaw: async (request: Parameters<typeof queryRaw>[0]) => {
      const result = await queryRaw(request);
      for (const index of charColumns.get(result.rows) ?? [])
        result.columnTypes[index] = ColumnTypeEnum.Character;
      return result;
    },
  });
}

/** What `prisma migrate deploy` would apply, and what it finds wrong with the history of a database. */
export async function prismaFindings(databaseUrl: string) {
  const schema = await readFile(`${PRISMA_FOLDER}schema.prisma`, 'utf8');
  const migrations = await readMigrations(PRISMA_FOLDER);
  const migrationsList = {
    baseDir: `${PRISMA_FOLDER}migrations`,
    lockfile: {
      path: 'migration_lock.toml',
      content: await readFile(`${PRISMA_FOLDER}migrations/migration_lock.toml`, 'utf8'),
    },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value: sql } },
    })),
  };
  return await withSchemaEngine(databaseUrl, schema, async (engine) => {
    const { appliedMigrationNames } = await engine.applyMigrations({ migrationsList, filters: EVERYTHING });
    const found = await engine.diagnoseMigrationHistory({
      migrationsList,
      optInToShadowDatabase: false,
      filters: EVERYTHING,
    });
    return {
      applied: appliedMigrationNames,
      failed: found.failedMigrationNames,
      edited: found.editedMigrationNames,
      diverging: found.history ?? null,
    };
  });
}

const EVERYTHING = { externalTables: [], externalEnums: [] };

/**
 * The SQL that would bring a database to schema.prisma; '' if nothing differs. Prisma compares tables, columns and indexes,
 * not CHECKs, functions and storage settings. Throws what the database throws.
 */
export async function schemaDrift(databaseUrl: string): Promise<string> {
  const schema = await readFile(`${PRISMA_FOLDER}schema.prisma`, 'utf8');
  const files = [{ path: 'schema.prisma', content: schema }];
  const { exitCode, stdout } = await withSchemaEngine(databaseUrl, schema, (engine) =>
    engine.diff({
      from: { tag: 'schemaDatasource', files, configDir: PRISMA_FOLDER },
      to: { tag: 'schemaDatamodel', files },
      script: true,
      exitCode: true,
      filters: EVERYTHING,
    }),
  );
  return exitCode === 0 ? '' : (stdout ?? '');
}
