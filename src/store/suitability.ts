import { randomUUID } from 'node:crypto';
import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import { type ConnectionSettings, connectionConfig, type DatabaseAddress } from './connection.ts';
import { describeFailure, sqlStateOf } from './failures.ts';

/** Calls would be lost or held some day with this database or the pooler in front of it. The message has one line per problem. */
export class UnsuitableDatabaseError extends Error {}

const TIMEOUT_MS = 10_000;
/** How long one client of a pooler may wait while another holds a transaction. */
const PATIENCE_MS = 5_000;
/** By chance a pooler may give a client the same server connection again. */
const ROUNDS = 3;
/** A timeout that nobody else sets: where it is seen again, this session set it. */
const MARK_MS = 98_765;

const FORGETS_STATEMENTS = new Set(['26000', '42P05']);
const PROTOCOL_VIOLATION = '08P01';
const ADVICE =
  'expected PostgreSQL itself, or PgBouncer with pool_mode=session (DATABASE_URL of a database that has it)';

/**
 * The reasons why a database cannot be used whatever is in it, one line each: an encoding that cannot hold every text, or a
 * pooler that takes a session's settings and prepared statements away between two transactions. Empty for a suitable
 * database. Throws what the database throws when it cannot be reached.
 */
export async function unsuitableIn(database: DatabaseAddress): Promise<string[]> {
  const [first, second] = [connect(database, true), connect(database, false)];
  const adapters: SqlDriverAdapter[] = [];
  try {
    const mine = await first.connect();
    adapters.push(mine);
    const encoding = await encodingProblem(mine);
    const other = await second.connect();
    adapters.push(other);
    return [encoding, await poolerProblem(mine, other)].filter((problem) => problem !== null);
  } catch (error) {
    // PostgreSQL itself never answers this client so.
    if (sqlStateOf(error) !== PROTOCOL_VIOLATION) throw error;
    return [
      `a pooler refuses the connection (${describeFailure(error)}): PgBouncer needs ignore_startup_parameters=options; ${ADVICE}`,
    ];
  } finally {
    await Promise.all(adapters.map((adapter) => adapter.dispose().catch(() => undefined)));
  }
}

/** Throws UnsuitableDatabaseError for a database that cannot be used, and what the database throws. */
export async function refuseUnsuitable(database: DatabaseAddress): Promise<void> {
  const problems = await unsuitableIn(database);
  if (problems.length > 0)
    throw new UnsuitableDatabaseError(problems.map((problem) => `DATABASE_URL: ${problem}`).join('\n'));
}

function connect(database: DatabaseAddress, isMine: boolean): PrismaPg {
  const settings: ConnectionSettings = {
    ...database,
    applicationName: 'cdr-ingest probe',
    poolSize: 1,
    connectTimeoutMs: TIMEOUT_MS,
    statementTimeoutMs: isMine ? MARK_MS : 0,
    lockTimeoutMs: isMine ? MARK_MS : 0,
  };
  const { onConnect, ...config } = connectionConfig(settings);
  // A pooler may have kept the statement of another probe.
  const name = `cdr_ingest_probe_${randomUUID()}`;
  // The other connection stands for any client of the same pooler, and sets nothing.
  return new PrismaPg(
    { ...config, ...(isMine && { onConnect }), query_timeout: TIMEOUT_MS },
    { statementNameGenerator: ({ args }) => (args.length > 0 ? name : '') },
  );
}

async function encodingProblem(adapter: SqlDriverAdapter): Promise<string | null> {
  const { rows } = await adapter.queryRaw(
    query(`select current_setting('server_encoding'), current_setting('client_encoding')`),
  );
  const [server, client] = (rows[0] ?? []).map(String);
  if (server !== 'UTF8')
    return `the database has the encoding ${server}, expected UTF8: a name in another script could not be stored. Create it with "createdb --encoding=UTF8 --template=template0" and load a dump`;
  return client === 'UTF8' ? null : `the connection has the client encoding ${client}, expected UTF8`;
}

/** While another client has a transaction open, a pooler must use a second server connection, or reserve the first for us. */
async function poolerProblem(mine: SqlDriverAdapter, other: SqlDriverAdapter): Promise<string | null> {
  try {
    await look(mine);
    for (let round = 0; round < ROUNDS; round += 1) {
      const transaction = await other.startTransaction();
      try {
        await transaction.queryRaw(query('select 1'));
        const found = await Promise.race([look(mine), tooLong()]);
        if (found === 'late') return `a pooler lets clients wait for each other's transactions: ${ADVICE}`;
        if (found !== `${MARK_MS}`)
          return `a pooler takes the session's settings (statement_timeout) away between transactions: ${ADVICE}`;
      } finally {
        await transaction.executeRaw(query('rollback')).catch(() => undefined);
        await transaction.rollback();
      }
    }
    return null;
  } catch (error) {
    const state = sqlStateOf(error);
    if (FORGETS_STATEMENTS.has(state))
      return `a pooler forgets prepared statements between transactions (pool_mode=transaction): ${ADVICE}`;
    if (state === PROTOCOL_VIOLATION)
      return `a pooler lets no transaction through (${describeFailure(error)}): ${ADVICE}`;
    throw error;
  }
}

/** The statement timeout in force, in milliseconds, read by a named statement. */
async function look(adapter: SqlDriverAdapter): Promise<string> {
  const sql = `select setting from pg_settings where name = $1`;
  const argType = { scalarType: 'string', arity: 'scalar' } as const;
  const { rows } = await adapter.queryRaw({ sql, args: ['statement_timeout'], argTypes: [argType] });
  return String(rows[0]?.[0]);
}

function tooLong(): Promise<'late'> {
  return new Promise((resolve) => setTimeout(() => resolve('late'), PATIENCE_MS).unref());
}

function query(sql: string) {
  return { sql, args: [], argTypes: [] };
}
