import { setTimeout as sleep } from 'node:timers/promises';
import { declareTopology, type TopologyReport } from '../broker/declare.ts';
import type { BrokerConnection } from '../broker/supervisor.ts';
import type { FeedExchange, TopologyNames } from '../broker/topology.ts';
import type { databaseOf } from '../connections.ts';
import type { Logger } from '../ops/logger.ts';
import { backoffMs } from '../retry.ts';
import { describeFailure } from '../store/database.ts';
import { pendingMigrations } from '../store/migrate.ts';
import { refuseUnsuitable, UnsuitableDatabaseError } from '../store/suitability.ts';

/** What a worker waits for at its start. */
interface Problem {
  /** The database cannot be used at all; otherwise it is not migrated yet. */
  isOutage: boolean;
  text: string;
}

/**
 * Waits until the database answers and has the schema that this worker was built for. Each problem is one line, logged
 * once. Rejects when `signal` ends the waiting, and with UnsuitableDatabaseError where waiting cannot help.
 */
export async function untilMigrated(
  database: ReturnType<typeof databaseOf>,
  log: Logger,
  signal: AbortSignal,
  onOutage: (isOutage: boolean) => void,
): Promise<void> {
  let logged = '';
  for (let attempt = 0; ; attempt += 1) {
    const problem = await problemOf(database);
    onOutage(problem?.isOutage ?? false);
    if (problem === null) return;
    const { text } = problem;
    if (text !== logged) log.warn(`${text}; waiting`);
    logged = text;
    await sleep(backoffMs(attempt), undefined, { signal });
  }
}

async function problemOf(database: ReturnType<typeof databaseOf>): Promise<Problem | null> {
  try {
    await refuseUnsuitable(database);
    const pending = await pendingMigrations(database.url, database);
    if (pending.length === 0) return null;
    const text = `the database is not migrated: run "cdr-ingest migrate" (${pending.join(', ')})`;
    return { isOutage: false, text };
  } catch (error) {
    if (error instanceof UnsuitableDatabaseError) throw error;
    return { isOutage: true, text: `the database cannot be used: ${describeFailure(error)}` };
  }
}

/**
 * Declares the topology, the exchanges of feeds included, where this user may. Where it may not, an operator or the
 * Kubernetes operator manages it, and the consumer says what is missing. Each kind of problem is one line.
 */
export async function declareOrUse(
  connection: BrokerConnection,
  names: TopologyNames,
  feeds: readonly FeedExchange[],
  log: Logger,
): Promise<void> {
  const reports = await declareTopology(connection, names, feeds);
  const of = (state: TopologyReport['state']) => reports.filter((report) => report.state === state);
  for (const { problem } of of('old form')) log.warn(`${problem}; calls are consumed meanwhile`);
  const found = of('as found');
  if (found.length > 0)
    log.info(
      { objects: found.map(({ object }) => object), first: found[0]?.problem },
      'exchanges of feeds that somebody declared otherwise, bound as they are',
    );
  const refused = of('wrong');
  if (refused.length > 0)
    log.warn(
      { objects: refused.map(({ object }) => object), first: refused[0]?.problem },
      'could not declare all of the topology, using it as found; check it with "cdr-ingest topology --check"',
    );
}
