import { Client } from 'pg';
import { sleep } from '../../retry.ts';
import { connectionConfig, type DatabaseAddress, sessionSettings } from '../connection.ts';
import { type Sql, statement } from '../sql.ts';

/** A migration could not be applied, or the wait for another process's migration took too long. */
export class MigrationError extends Error {}

/** The one connection on which everything of a migration happens: its lock, its script and its row of history. */
export interface MigrationSession {
  sql: Sql;
  /** Runs a text of several statements as it is. */
  script: (text: string) => Promise<void>;
  /** Waits. Throws MigrationError when somebody has asked to stop. */
  pause: (milliseconds: number) => Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** How long a statement that changes a table may wait for its lock: meanwhile everybody else queues behind it. */
const LOCK_TIMEOUT_MS = 1000;
const CANCEL_TIMEOUT_MS = 2000;

/** The server ends what a session does soon after its client has gone, and releases its locks. */
const CLIENT_GONE = statement(
  'migration.client-gone',
  `select set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false),
     set_config('tcp_keepalives_count', '3', false)`,
);
/** Fails where the server's system cannot tell that a client has gone: there it notices when the statement ends. */
const CHECK_CLIENT = statement(
  'migration.check-client',
  `select set_config('client_connection_check_interval', '1s', false)`,
);
const PID = statement('migration.pid', 'select pg_backend_pid() as pid');
const CANCEL = statement('migration.cancel', 'select pg_cancel_backend($1::int)');

/**
 * Does `work` on a connection of its own. When `signal` is aborted the statement under way is cancelled, and `work` gets
 * an error from it or from whatever it asks next. Throws what the database throws.
 */
export async function inMigrationSession<Result>(
  database: DatabaseAddress,
  signal: AbortSignal | undefined,
  work: (session: MigrationSession) => Promise<Result>,
): Promise<Result> {
  const client = await connect(database);
  const session = sessionOf(client, signal);
  try {
    await session.sql(CLIENT_GONE, []);
    await session.sql(CHECK_CLIENT, []).catch(() => undefined);
    const [row] = await session.sql<{ pid: number }>(PID, []);
    const stop = () => void cancel(database, client, row?.pid);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      return await work(session);
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  } finally {
    await client.end();
  }
}

function sessionOf(client: Client, signal: AbortSignal | undefined): MigrationSession {
  const refuseStopped = () => {
    if (signal?.aborted) throw new MigrationError('stopped');
  };
  return {
    sql: async <Row>({ name, text }: Parameters<Sql>[0], values: readonly unknown[]) => {
      refuseStopped();
      const { rows } = await client.query({ name, text, values: [...values] });
      return rows as Row[];
    },
    script: async (text) => {
      refuseStopped();
      await client.query(text);
    },
    pause: async (milliseconds) => {
      await sleep(milliseconds, signal);
      refuseStopped();
    },
  };
}

async function connect(database: DatabaseAddress, connectTimeoutMs = CONNECT_TIMEOUT_MS): Promise<Client> {
  const settings = {
    ...database,
    applicationName: 'cdr-ingest migrate',
    connectTimeoutMs,
    poolSize: 1,
    statementTimeoutMs: 0,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
  };
  const { onConnect: _ofPools, ...config } = connectionConfig(settings);
  const client = new Client(config);
  // The statement under way fails with it too.
  client.on('error', () => undefined);
  await client.connect();
  await client.query(sessionSettings(settings));
  return client;
}

/** Cancels what the session does; where that cannot be said to the server, it is left to notice that its client has gone. */
async function cancel(database: DatabaseAddress, client: Client, pid: number | undefined): Promise<void> {
  try {
    const other = await connect(database, CANCEL_TIMEOUT_MS);
    await other.query(CANCEL.text, [pid]).finally(() => other.end());
  } catch {
    await client.end();
  }
}
