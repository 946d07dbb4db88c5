/**
 * Opening, using and closing Prisma, with the workarounds that takes. Those of its schema engine are in dev/schema-engine.ts.
 * What each one is worth that is here for speed or memory: `npm run bench -- --only workarounds`;
 * what V8's flag is worth: docs/decisions/0010-bundled-program.md.
 */
import { setFlagsFromString } from 'node:v8';
import { PrismaPg } from '@prisma/adapter-pg';
import { Debug } from '@prisma/client/runtime/client';
import { clearLogs } from '@prisma/debug';
import {
  type ArgType,
  type ColumnType,
  ColumnTypeEnum,
  type SqlQuery,
  type SqlQueryable,
  type SqlResultSet,
} from '@prisma/driver-adapter-utils';
import type { PoolConfig } from 'pg';
import { DeadlineError, within } from '../retry.ts';
import { arrayText } from './array-text.ts';
import { Prisma, PrismaClient } from './generated/client.ts';
import { type CuttablePool, type OnPoolWait, openPool } from './pool.ts';
import { preparedName, type Sql, type Statement } from './sql.ts';

export interface OpenPrisma {
  prisma: PrismaClient;
  /** What the client itself sends its statements with. */
  adapter: Promise<SqlQueryable>;
  /** How many statements and transactions wait for a connection of the pool. */
  waiting: () => number;
  /** Waits for the statements under way, at most `timeoutMs` milliseconds, then cuts their connections. */
  close: (timeoutMs: number) => Promise<void>;
}

// What Prisma has in WebAssembly runs briefly: its compiler of queries, which raw statements pass by, only reads the schema. V8
// would spend more time on optimizing it than it takes. It has to be told before it is compiled.
setFlagsFromString('--liftoff-only');

/** Told how long a statement took in milliseconds, the wait for a connection included, whether it failed or not. */
export type OnStatement = (name: string, milliseconds: number) => void;

/**
 * Prisma's client and its driver adapter on one pool; they connect on first use.
 *
 * Names of statements: Prisma sends every statement without a name unless it is told one, and PostgreSQL parses and plans a
 * statement without a name each time. Prisma asks for the name with the text alone, before each statement. It passes on the
 * very string that it was given, whose hash V8 keeps with it, so that finding a name takes the same short time however
 * long the text is.
 */
export function openPrisma(
  config: PoolConfig,
  onPoolError: (error: unknown) => void,
  onPoolWait?: OnPoolWait,
): OpenPrisma {
  const opened = openPool(config, onPoolError, onPoolWait);
  const { pool } = opened;
  const factory = new PrismaPg(pool, { statementNameGenerator: ({ sql }) => preparedName(sql) });
  const prisma = new PrismaClient({ adapter: factory, errorFormat: 'minimal' });
  return {
    prisma,
    adapter: factory.connect(),
    waiting: () => pool.waitingCount,
    close: (timeoutMs) => close(prisma, opened, timeoutMs),
  };
}

/**
 * Statements through a Prisma client or one of its transactions.
 *
 * Values and rows are taken out of what Prisma has in hand as soon as a statement is done. Prisma's promise has a
 * getter of its own, and whatever such an object refers to outlives V8's young generation: the values of each batch
 * would stay in memory until the whole heap is collected.
 */
export function throughClient(client: Pick<PrismaClient, '$queryRaw'>, onStatement?: OnStatement): Sql {
  return async <Row>({ name, text }: Statement, values: readonly unknown[]) => {
    const query = Prisma.raw(text);
    query.values.push(...values);
    const started = performance.now();
    try {
      const rows = await client.$queryRaw<Row[]>(query);
      return rows.splice(0);
    } finally {
      query.values.length = 0;
      forgetStatements();
      onStatement?.(name, performance.now() - started);
    }
  };
}

/** Frequent statements by Prisma's driver adapter, without its client; the rows are those that the client would return. */
export function throughAdapter(connected: Promise<SqlQueryable>, onStatement?: OnStatement): Sql {
  let adapter: SqlQueryable | undefined;
  return async (statement, values) => {
    const started = performance.now();
    try {
      adapter ??= await connected;
      return rowsOf(statement, await adapter.queryRaw(queryOf(statement, values)));
    } finally {
      clearLogs();
      onStatement?.(statement.name, performance.now() - started);
    }
  };
}

/** Of a value that the adapter passes on as it is. */
const AS_IT_IS: ArgType = { scalarType: 'unknown', arity: 'scalar' };
/** Of each value of a statement: one list for all statements, as long as the longest needs it. */
const asTheyAre: ArgType[] = [];

function queryOf({ text }: Statement, values: readonly unknown[]): SqlQuery {
  while (asTheyAre.length < values.length) asTheyAre.push(AS_IT_IS);
  return { sql: text, args: values.map(argumentOf), argTypes: asTheyAre };
}

function argumentOf(value: unknown): unknown {
  return Array.isArray(value) ? arrayText(value) : value;
}

/** What Prisma's client, too, leaves as the adapter has read it. */
const READ_AS_IT_IS: ReadonlySet<ColumnType> = new Set([
  ColumnTypeEnum.Int32,
  ColumnTypeEnum.Double,
  ColumnTypeEnum.Boolean,
  ColumnTypeEnum.Text,
  ColumnTypeEnum.TextArray,
]);

function rowsOf<Row>({ name }: Statement, { columnNames, columnTypes, rows }: SqlResultSet): Row[] {
  if (!columnTypes.every((type) => READ_AS_IT_IS.has(type)))
    throw new Error(`a frequent statement returns a type that Prisma's client would convert: ${name}`);
  return rows.map((values) => {
    const row: Record<string, unknown> = {};
    columnNames.forEach((name, place) => {
      row[name] = values[place];
    });
    return row as Row;
  });
}

/** As many lines as Prisma remembers. */
const REMEMBERED_LINES = 100;
const debug = Debug('cdr-ingest:forget');

/**
 * Makes Prisma forget the statements that it has run. Its client and its driver adapter each remember their last hundred lines
 * of debugging output, whether debugging is on or not. These lines hold what callers and switches sent. The adapter's list
 * can be emptied. The client's cannot, but each new line pushes the oldest out.
 */
function forgetStatements(): void {
  clearLogs();
  // Keep debug output readable when debugging is on.
  if (debug.enabled) return;
  for (let line = 0; line < REMEMBERED_LINES; line += 1) debug('');
}

/** The pool ends when every statement under way has, as long as that takes. */
async function close(prisma: PrismaClient, { pool, cut }: CuttablePool, timeoutMs: number): Promise<void> {
  const closed = prisma.$disconnect().then(() => pool.end());
  await within(closed, timeoutMs, 'the end of the statements under way').catch((error: unknown) => {
    if (!(error instanceof DeadlineError)) throw error;
    cut();
  });
  await closed;
}
