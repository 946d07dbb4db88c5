import { setTimeout as sleep } from 'node:timers/promises';
import type { BrokerConnection } from '../broker/supervisor.ts';
import { declareTopology, type TopologyNames } from '../broker/topology.ts';
import type { databaseOf } from '../connections.ts';
import type { Logger } from '../ops/logger.ts';
import { backoffMs } from '../retry.ts';
import { describeFailure } from '../store/database.ts';
import { pendingMigrations } from '../store/migrate.ts';
import { refuseUnsuitable, UnsuitableDatabaseError } from '../store/suitability.ts';

/**
 * Waits until the database answers and has the schema that this worker was built for. Each problem is one line, logged
 * once. Rejects when `signal` ends the waiting, and with UnsuitableDatabaseError where waiting cannot help.
 */
export async function untilMigrated(
  database: ReturnType<typeof databaseOf>,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  let logged = '';
  for (let attempt = 0; ; attempt += 1) {
    const problem = await problemOf(database);
    if (problem === null) return;
    if (problem !== logged) log.warn(`${problem}; waiting`);
    logged = problem;
    await sleep(backoffMs(attempt), undefined, { signal });
  }
}

async function problemOf(database: ReturnType<typeof databaseOf>): Promise<string | null> {
  try {
    await refuseUnsuitable(database);
    const pending = await pendingMigrations(database.url, database);
    return pending.length === 0
      ? null
      : `the database is not migrated: run "cdr-ingest migrate" (${pending.join(', ')})`;
  } catch (error) {
    if (error instanceof UnsuitableDatabaseError) throw error;
    return `the database cannot be used: ${describeFailure(error)}`;
  }
}

/**
 * Declares the topology where this user may. Where it may not, an operator or the Kubernetes operator manages it, and the
 * consumer says what is missing.
 */
export async function declareOrUse(
  connection: BrokerConnection,
  names: TopologyNames,
  log: Logger,
): Promise<void> {
  const refused = (await declareTopology(connection, names)).filter(({ ok }) => !ok);
  if (refused.length === 0) return;
  const objects = refused.map(({ object }) => object);
  log.warn(
    { objects, first: refused[0]?.problem },
    'not permitted to declare the topology, using it as found; check it with "cdr-ingest topology --check"',
  );
}
