import { Client } from 'pg';
import { until } from './broker.ts';
import type { Site } from './faults.ts';

/** Another database session that blocks the workers. */
export interface Blocker {
  query: (text: string) => Promise<Record<string, unknown>[]>;
  /** Waits until a statement of a worker waits for a lock. */
  workerWaits: () => Promise<void>;
  /** Rolls back and releases all locks. */
  end: () => Promise<void>;
}

const WORKERS = `from pg_stat_activity
  where datname = current_database() and application_name = 'cdr-ingest worker'`;

/** Opens a transaction that holds what the given statements lock. */
export async function block(site: Pick<Site, 'databaseUrl' | 'rows'>, statements: string): Promise<Blocker> {
  const client = new Client({ connectionString: site.databaseUrl, application_name: 'blocker' });
  await client.connect();
  await client.query(`begin; ${statements}`);
  return {
    query: async (text) => (await client.query(text)).rows,
    workerWaits: () =>
      until(
        async () => (await site.rows(`select pid::text ${WORKERS} and wait_event_type = 'Lock'`)).length > 0,
      ),
    end: () => client.end(),
  };
}

/** Waits until no session of a worker is left in the database, including those of killed workers. */
export async function workersGone(site: Site): Promise<void> {
  await until(async () => (await site.rows(`select pid::text ${WORKERS}`)).length === 0);
}

/** Terminates the sessions of workers that are running something, which rolls it back. Returns how many. */
export async function endStatements(site: Site): Promise<number> {
  const ended = await site.rows(`select pg_terminate_backend(pid)::text ${WORKERS} and state <> 'idle'`);
  return ended.length;
}
