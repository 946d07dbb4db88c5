import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlQuery } from '@prisma/driver-adapter-utils';
import type { PoolClient } from 'pg';
import { connectionConfig, type DatabaseTls } from './connection.ts';
import { describeFailure } from './failures.ts';
import { PrismaClient } from './generated/client.ts';

export { DatabaseUrlError } from './database-url.ts';
export { classifyFailure, describeFailure, type FailureKind } from './failures.ts';

/** What a worker calls itself in pg_stat_activity: rows that it holds are held for the moment of a batch. */
export const WORKER_NAME = 'cdr-ingest worker';

export interface DatabaseOptions {
  /** postgresql://user:password@host:5432/database */
  url: string;
  /** Certificates, where the connection is encrypted by others than the system's. */
  tls?: DatabaseTls | undefined;
  poolSize: number;
  /** Milliseconds after which the server ends a statement. */
  statementTimeoutMs: number;
  /** Milliseconds after which the server ends a wait for a lock; half of `statementTimeoutMs` where it is left out. */
  lockTimeoutMs?: number;
  /** Milliseconds until a connection, new or from the pool, must be had. */
  connectTimeoutMs: number;
  /** As pg_stat_activity shows it. */
  applicationName: string;
  /** Told, in one line without values, when an idle connection breaks. The pool replaces it by itself. */
  onPoolError?: (description: string) => void;
}

export interface Database {
  prisma: PrismaClient;
  /** Waits for the statements under way, at most `timeoutMs` milliseconds, then cuts their connections. */
  close: (timeoutMs: number) => Promise<void>;
}

/**
 * A client with its own pool. Connects on first use: this never fails for a database that is down. Throws
 * DatabaseUrlError.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const clients = new Set<PoolClient>();
  const factory = new PrismaPg(
    connectionConfig({ lockTimeoutMs: Math.ceil(options.statementTimeoutMs / 2), ...options }),
    {
      statementNameGenerator: statementNames(),
      onPoolError: (error) => options.onPoolError?.(describeFailure(error)),
    },
  );
  const connect = factory.connect.bind(factory);
  factory.connect = async () => {
    const adapter = await connect();
    const pool = adapter.underlyingDriver();
    pool.on('connect', (client) => clients.add(client));
    pool.on('remove', (client) => clients.delete(client));
    return adapter;
  };
  const prisma = new PrismaClient({ adapter: factory, errorFormat: 'minimal' });
  return { prisma, close: (timeoutMs) => close(prisma, clients, timeoutMs) };
}

/** Whether the database answers in time and takes writes (a replica does not). Never rejects. */
export async function databaseReachable(prisma: PrismaClient, timeoutMs: number): Promise<boolean> {
  const asked = prisma.$queryRaw<{ isWritable: boolean }[]>`
    select current_setting('transaction_read_only') = 'off' as "isWritable"`;
  const answer = asked.then(
    ([row]) => row?.isWritable === true,
    () => false,
  );
  return await withTimeout(answer, timeoutMs, false);
}

async function close(prisma: PrismaClient, clients: Set<PoolClient>, timeoutMs: number): Promise<void> {
  const closed = prisma.$disconnect().then(() => true);
  if (await withTimeout(closed, timeoutMs, false)) return;
  // `end` of a client with a statement under way destroys its socket; the type hides it from pool users.
  for (const client of clients) (client as PoolClient & { end: () => void }).end();
  await closed;
}

async function withTimeout<Value>(promise: Promise<Value>, timeoutMs: number, late: Value): Promise<Value> {
  const timer = new AbortController();
  const timeout = sleep(timeoutMs, late, { signal: timer.signal }).catch(() => late);
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    timer.abort();
  }
}

/** More texts than this are not a few fixed statements any more: the rest goes unnamed. */
const NAMES_LIMIT = 100;

/**
 * Names for statements, under which a connection parses and plans each text once. An unnamed statement costs
 * PostgreSQL more than twice the CPU at batch size 1. The server keeps every name as long as the connection
 * lives, hence the limit.
 */
function statementNames(): (query: SqlQuery) => string {
  const names = new Map<string, string>();
  return ({ sql, args }) => {
    // Without values: BEGIN, COMMIT and the like, which gain nothing from a name. '' means none.
    if (args.length === 0) return '';
    const known = names.get(sql);
    if (known !== undefined) return known;
    if (names.size >= NAMES_LIMIT) return '';
    const name = createHash('sha1').update(sql).digest('hex');
    names.set(sql, name);
    return name;
  };
}
