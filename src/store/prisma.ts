/**
 * Opening, using and closing Prisma, with the workarounds that takes. Those of its schema engine are in dev/schema-engine.ts.
 * What each one is worth that is here for speed or memory: `npm run bench -- --only workarounds`;
 * what V8's flag is worth: docs/decisions/0010-bundled-program.md.
 */
import { setFlagsFromString } from 'node:v8';
import { PrismaPg } from '@prisma/adapter-pg';
import { Debug } from '@prisma/client/runtime/client';
import { clearLogs } from '@prisma/debug';
import type { Pool, PoolClient, PoolConfig } from 'pg';
import { DeadlineError, within } from '../retry.ts';
import { Prisma, PrismaClient } from './generated/client.ts';
import { preparedName, type Sql } from './sql.ts';

export interface OpenPrisma {
  prisma: PrismaClient;
  /** How many statements and transactions wait for a connection of the pool. */
  waiting: () => number;
  /** Waits for the statements under way, at most `timeoutMs` milliseconds, then cuts their connections. */
  close: (timeoutMs: number) => Promise<void>;
}

// What Prisma has in WebAssembly runs briefly: its compiler of queries, which raw statements pass by, only reads the schema. V8
// would spend more time on optimizing it than it takes. It has to be told before it is compiled.
setFlagsFromString('--liftoff-only');

/** Told how long somebody waited for a connection, new or from the pool, in milliseconds; also where none came in time. */
export type OnPoolWait = (milliseconds: number) => void;

/** Told how long a statement took in milliseconds, the wait for a connection included, whether it failed or not. */
export type OnStatement = (name: string, milliseconds: number) => void;

/**
 * Prisma's client on a pool of its own; connects on first use.
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
  const factory = new PrismaPg(config, {
    statementNameGenerator: ({ sql }) => preparedName(sql),
    onPoolError,
  });
  const clients = new Set<PoolClient>();
  let waiting = () => 0;
  onPool(factory, (pool) => {
    pool.on('connect', (client) => clients.add(client));
    pool.on('remove', (client) => clients.delete(client));
    waiting = () => pool.waitingCount;
    if (onPoolWait !== undefined) measureWaits(pool, onPoolWait);
  });
  const prisma = new PrismaClient({ adapter: factory, errorFormat: 'minimal' });
  return {
    prisma,
    waiting: () => waiting(),
    close: (timeoutMs) => close(prisma, clients, timeoutMs),
  };
}

/**
 * Statements through a Prisma client or one of its transactions.
 *
 * Values and rows are taken out of what Prisma has in hand as soon as a statement is done. Prisma's promise has a
 * getter of its own, and whatever such an object refers to outlives V8's young generation: the values of each batch
 * would stay in memory until the whole heap is collected.
 */
export function sqlOf(client: Pick<PrismaClient, '$queryRaw'>, onStatement?: OnStatement): Sql {
  return async <Row>({ name, text }: Parameters<Sql>[0], values: readonly unknown[]) => {
    const query = Prisma.raw(text);
    query.values.push(...values);
    const started = performance.now();
    try {
      const rows = await client.$queryRaw<Row[]>(query);
      return rows.splice(0);
    } finally {
      query.values.length = 0;
      onStatement?.(name, performance.now() - started);
    }
  };
}

/** As many lines as Prisma remembers. */
const REMEMBERED_LINES = 100;
const debug = Debug('cdr-ingest:forget');

/**
 * Makes Prisma forget the statements that it has run. Its client and its driver adapter each remember their last hundred lines
 * of debugging output, whether debugging is on or not. These lines hold the values of some fifty batches: tens of
 * megabytes, and what callers and switches sent. The adapter's list can be emptied. The client's cannot, but each new line
 * pushes the oldest out.
 */
export function forgetStatements(): void {
  clearLogs();
  // Keep debug output readable when debugging is on.
  if (debug.enabled) return;
  for (let line = 0; line < REMEMBERED_LINES; line += 1) debug('');
}

/** Hands over the pool of the adapter, which shows it only where it connects. */
function onPool(factory: PrismaPg, take: (pool: Pool) => void): void {
  const connect = factory.connect.bind(factory);
  factory.connect = async () => {
    const adapter = await connect();
    take(adapter.underlyingDriver());
    return adapter;
  };
}

/** Statements and transactions alike get their connection by `connect`, with a callback or a promise. */
function measureWaits(pool: Pool, onPoolWait: OnPoolWait): void {
  const connect = pool.connect.bind(pool) as (done?: (...result: unknown[]) => void) => unknown;
  pool.connect = ((done?: (...result: unknown[]) => void) => {
    const begun = performance.now();
    const told = () => onPoolWait(performance.now() - begun);
    if (done !== undefined)
      return connect((...result) => {
        told();
        done(...result);
      });
    return (connect() as Promise<unknown>).finally(told);
  }) as Pool['connect'];
}

/** `$disconnect` waits for every statement under way, as long as it takes. */
async function close(
  prisma: PrismaClient,
  clients: ReadonlySet<PoolClient>,
  timeoutMs: number,
): Promise<void> {
  const closed = prisma.$disconnect();
  await within(closed, timeoutMs, 'the end of the statements under way').catch((error: unknown) => {
    if (!(error instanceof DeadlineError)) throw error;
    // `end` destroys the socket of a client with a statement under way; its type hides that from users of a pool.
    for (const client of clients) (client as PoolClient & { end: () => void }).end();
  });
  await closed;
}
