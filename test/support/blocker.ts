import { Client } from 'pg';
import { until } from './broker.ts';
import type { Site } from './faults.ts';

/** Another client of the database, in whose way the workers come to stand. */
export interface Blocker {
  query: (text: string) => Promise<Record<string, unknown>[]>;
  /** Waits until a statement of a worker waits for a lock. */
  workerWaits: () => Promise<void>;
  /** Takes back everything not committed, locks included. */
  end: () => Promise<void>;
}

const WORKERS = `from pg_stat_activity
  where datname = current_database() and application_name = 'cdr-ingest worker'`;

/** Opens a transaction that holds what the given statements lock. */
export async function block(site: Site, statements: string): Promise<Blocker> {
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

/** Waits until nothing runs in the database any more that a worker has asked for, killed ones included. */
export async function workersGone(site: Site): Promise<void> {
  await until(async () => (await site.rows(`select pid::text ${WORKERS}`)).length === 0);
}

/** Breaks the connections over which workers have something running, so that none of it happens. Returns how many. */
export async function endStatements(site: Site): Promise<number> {
  const ended = await site.rows(`select pg_terminate_backend(pid)::text ${WORKERS} and state <> 'idle'`);
  return ended.length;
}
