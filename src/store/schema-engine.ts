import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  DriverAdapterError,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';
import * as engineModule from '@prisma/schema-engine-wasm/schema_engine_bg';
import type { DatabaseError } from 'pg';
import { connectionConfig, type DatabaseTls } from './connection.ts';

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

/** postgresql://… and the certificates of the connection. */
export interface DatabaseAddress {
  url: string;
  tls?: DatabaseTls | undefined;
}

let loading: Promise<void> | undefined;

/**
 * Runs `work` with Prisma's schema engine, as WebAssembly, on a database. Prisma's CLI would download a binary instead, which
 * fails where only package registries can be reached. `schema` is the text of schema.prisma. Throws what the database or
 * the engine throws.
 */
export async function withSchemaEngine<Result>(
  database: DatabaseAddress,
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
      bindMigrationAwareSqlAdapterFactory(adapterFactory(database, pools)),
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

/** A migration may take any time, but waits for a lock only a short while: everybody else queues behind it. */
export function migrationConnection(database: DatabaseAddress) {
  return connectionConfig({
    ...database,
    applicationName: 'cdr-ingest migrate',
    connectTimeoutMs: 10_000,
    poolSize: 2,
    statementTimeoutMs: 0,
    lockTimeoutMs: 30_000,
  });
}

function adapterFactory(database: DatabaseAddress, pools: Pool[]): SqlMigrationAwareDriverAdapterFactory {
  const factory = new PrismaPg(migrationConnection(database));
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
 * The schema engine needs two things that the adapter, which was made for the query engine, lacks. It reads columns of the
 * type "char". And it runs a script whole, which PostgreSQL does as one transaction; the adapter would split it at every
 * semicolon, even within the body of a function.
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
    executeScript: async (script: string) => {
      await query(script).catch((error: unknown) => {
        throw new DriverAdapterError(scriptFailure(error));
      });
    },
  });
}

/** A failed script in the form that the engine reports and keeps in _prisma_migrations. */
function scriptFailure(error: unknown) {
  const { code, severity, message, hint } = error as Partial<DatabaseError>;
  return {
    kind: 'postgres' as const,
    code: code ?? 'N/A',
    severity: severity ?? 'ERROR',
    message: message ?? String(error),
    detail: undefined,
    column: undefined,
    hint,
  };
}
