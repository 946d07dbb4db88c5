import { within } from '../retry.ts';
import { connectionConfig, type DatabaseTls } from './connection.ts';
import { describeFailure } from './failures.ts';
import type { PrismaClient } from './generated/client.ts';
import type { OnPoolWait } from './pool.ts';
import { type OnStatement, openPrisma, throughAdapter, throughClient } from './prisma.ts';
import { type Sql, statement } from './sql.ts';

export { DatabaseUrlError } from './database-url.ts';
export { classifyFailure, describeFailure, type FailureKind } from './failures.ts';

/** The application_name of workers. Rows that a session of this name has locked are free again in a moment. */
export const WORKER_NAME = 'cdr-ingest worker';

export interface DatabaseOptions {
  /** postgresql://user:password@host:5432/database */
  url: string;
  /** For a connection with certificates other than the system's. */
  tls?: DatabaseTls | undefined;
  poolSize: number;
  /** Milliseconds after which the server ends a statement. */
  statementTimeoutMs: number;
  /** Milliseconds after which the server ends a wait for a lock; half of `statementTimeoutMs` by default. */
  lockTimeoutMs?: number;
  /** Milliseconds to wait for a connection, new or from the pool. */
  connectTimeoutMs: number;
  /** As pg_stat_activity shows it. */
  applicationName: string;
  /** Called when an idle connection breaks, with one line without values. The pool replaces the connection. */
  onPoolError?: (description: string) => void;
  onStatement?: OnStatement;
  onPoolWait?: OnPoolWait;
}

export interface Database {
  /** Each statement is a transaction of its own. */
  sql: Sql;
  /**
   * Runs `work` in one transaction, which is committed when `work` resolves and rolled back when it rejects.
   * `timeoutMs` bounds both the wait for a connection and the transaction: milliseconds.
   */
  transaction: <Result>(work: (sql: Sql) => Promise<Result>, options: TransactionOptions) => Promise<Result>;
  /** For tests and tools, whose statements have no names. */
  prisma: PrismaClient;
  /** How many statements and transactions wait for a connection of the pool. */
  poolWaiting: () => number;
  /** Waits for the statements under way, at most `timeoutMs` milliseconds, then cuts their connections. */
  close: (timeoutMs: number) => Promise<void>;
}

export interface TransactionOptions {
  timeoutMs: number;
  /** One snapshot for all statements; without it each statement sees what is committed by then. */
  isolationLevel?: 'RepeatableRead';
}

/**
 * A database with its own pool. Connects on first use: this never fails for a database that is down. Throws
 * DatabaseUrlError.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const { prisma, adapter, waiting, close } = openPrisma(
    connectionConfig({ lockTimeoutMs: Math.ceil(options.statementTimeoutMs / 2), ...options }),
    (error) => options.onPoolError?.(describeFailure(error)),
    options.onPoolWait,
  );
  const { onStatement } = options;
  const byAdapter = throughAdapter(adapter, onStatement);
  const byClient = throughClient(prisma, onStatement);
  return {
    sql: (statement, values) => (statement.isFrequent ? byAdapter : byClient)(statement, values),
    transaction: (work, { timeoutMs, ...more }) =>
      prisma.$transaction((transaction) => work(throughClient(transaction, onStatement)), {
        timeout: timeoutMs,
        maxWait: timeoutMs,
        ...more,
      }),
    prisma,
    poolWaiting: waiting,
    close,
  };
}

const IS_WRITABLE = statement(
  'database.is-writable',
  `select current_setting('transaction_read_only') = 'off' as "isWritable"`,
);

/** Whether the database answers in time and takes writes (a replica does not). Never rejects. */
export async function databaseReachable(sql: Sql, timeoutMs: number): Promise<boolean> {
  const asked = sql<{ isWritable: boolean }>(IS_WRITABLE, []);
  return await within(asked, timeoutMs, 'the answer of the database').then(
    ([row]) => row?.isWritable === true,
    () => false,
  );
}

/** Throws what the database throws if it does not answer. */
export async function expectAnswer(sql: Sql): Promise<void> {
  await sql(IS_WRITABLE, []);
}
