import { billingRulesOf, billingVariables } from '../billing-rules.ts';
import type { Config } from '../config.ts';
import { brokerOf, brokerVariables, databaseOf, databaseVariables } from '../connections.ts';
import { serveOps } from '../ops/http.ts';
import type { Logger } from '../ops/logger.ts';
import { feedsBeside } from '../sources-file.ts';
import { type Database, databaseReachable, openDatabase, WORKER_NAME } from '../store/database.ts';
import { readOpenAmounts, readOpenDeadLetters } from '../store/dead-letters/open.ts';
import { readHeard } from '../store/heard/read.ts';
import { countUninvoiced } from '../store/late/count.ts';
import { retrying } from '../store/retrying.ts';
import { type Consumers, startConsumers } from './consumers.ts';
import { createReload } from './feed-reload.ts';
import { Feeds, recordUniqueidRules } from './feeds.ts';
import { collectHeard } from './heard.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { untilMigrated } from './startup.ts';
import { reportUnread, watch } from './state-watch.ts';
import { reportStatements } from './statement-reports.ts';
import { warmUp } from './warm-up.ts';

export const workerVariables = [
  ...databaseVariables,
  ...brokerVariables,
  ...billingVariables,
  'HTTP_HOST',
  'HTTP_PORT',
  'LOG_LEVEL',
  'IGNORED_PARAMETERS',
  'SOURCES_FILE',
  'REPLY_TO_ALLOW',
  'BILLED_EXCHANGE',
  'MAX_BODY_BYTES',
  'KEPT_BODY_BYTES',
  'BATCH_SIZE',
  'PREFETCH',
  'DELIVERY_LIMIT',
  'DATABASE_POOL',
  'STATEMENT_TIMEOUT_MS',
  'LOCK_TIMEOUT_MS',
  'ROW_WAIT_MS',
  'CONFIRM_TIMEOUT_MS',
  'OUTAGE_RETURN_MS',
  'SHUTDOWN_GRACE_MS',
] as const;

export type WorkerConfig = Pick<Config, (typeof workerVariables)[number]>;

export interface Worker {
  /** Where /livez, /readyz and /metrics are. */
  port: number;
  /** Resolves when the worker consumes for the first time. */
  consuming: Promise<void>;
  /** Reads the sources file again. A wrong one is logged and leaves the feeds as they are. Never rejects. */
  reloadFeeds: () => Promise<void>;
  /** Drains: what is in hand is persisted, answered and acknowledged. Resolves when the worker has ended. */
  stop: () => Promise<void>;
  /** Rejects when the worker cannot go on; the process should end then. */
  failure: Promise<never>;
}

const REACHABLE_TIMEOUT_MS = 3000;
const CONNECT_TIMEOUT_MS = 10_000;
/** How often it is recorded who was heard of. */
const HEARD_MS = 3000;
/** A worker that calls wait for is not to wait longer than this saves. */
const WARM_UP = { rounds: 2, limitMs: 500 };

export interface StartOptions {
  /** Takes feeds that make uniqueids by another rule than is on record. */
  acceptsNewUniqueids: boolean;
  version: string;
  /** How many lines of the log were dropped so far. */
  droppedLines: () => number;
}

/**
 * Starts a worker: waits for its database and its broker, then consumes. Rejects when its sources file is wrong, when its
 * HTTP port cannot be had, or when `signal` ends the waiting.
 */
export async function startWorker(
  config: WorkerConfig,
  log: Logger,
  signal: AbortSignal,
  { acceptsNewUniqueids, version, droppedLines }: StartOptions,
): Promise<Worker> {
  const readFeeds = () => feedsBeside(config.BILLED_EXCHANGE, config.SOURCES_FILE);
  const feeds = new Feeds(readFeeds());
  const address = databaseOf(config);
  const brokers = brokerOf(config);
  const metrics = createMetrics();
  const showFeeds = () => metrics.info.setFeeds(feeds.all.map(({ name }) => name));
  metrics.info.setVersion(version);
  metrics.log.showDropped(droppedLines);
  showFeeds();
  if (config.BILLED_EXCHANGE !== '') metrics.connections.of('billed');
  const database = openDatabase({
    ...address,
    poolSize: config.DATABASE_POOL,
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
    lockTimeoutMs: config.LOCK_TIMEOUT_MS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    applicationName: WORKER_NAME,
    onStatement: reportStatements(metrics.statements, log),
    onPoolWait: metrics.pool.waited,
  });
  metrics.pool.ask(database.poolWaiting);
  const reachable = () => databaseReachable(database.sql, REACHABLE_TIMEOUT_MS);
  let consumers: Consumers | undefined;
  const ops = await serveOps({
    host: config.HTTP_HOST || undefined,
    port: config.HTTP_PORT,
    registry: metrics.registry,
    readiness: async () => {
      const state = consumers?.state();
      const { isConsuming = false, takesReplies = true, takesBilled = null, waiting = 0 } = state ?? {};
      return {
        consuming: isConsuming,
        database: consumers !== undefined && (await reachable()),
        replies: takesReplies,
        ...(takesBilled !== null && { billed: takesBilled }),
        ...(waiting > 0 && { waiting }),
      };
    },
  });
  log.info({ port: ops.port }, 'serving /livez, /readyz and /metrics');

  const showOutage = (isOutage: boolean) => {
    for (const queue of metrics.queues.names) metrics.queues.of(queue).paused(isOutage);
  };
  await untilMigrated(address, log, signal, showOutage)
    .then(() => retrying(() => recordUniqueidRules(database.sql, feeds.all, acceptsNewUniqueids)))
    .catch(async (error: unknown) => {
      await database.close(CONNECT_TIMEOUT_MS);
      await ops.close();
      throw error;
    });
  const heard = collectHeard({
    database,
    everyMs: HEARD_MS,
    onUnreadable: metrics.heard.unreadable,
    log,
  });
  heard.expect(feeds.all);
  // Before calls come: their first readings take CPU that the first calls need.
  const stopWatching = watchState(database, config.SYSTEM_CURRENCY, metrics, feeds, log);
  const warmingSince = performance.now();
  const madeUp = await warmUp(billingRulesOf(config), WARM_UP, signal);
  log.debug({ replies: madeUp.length, ms: Math.round(performance.now() - warmingSince) }, 'warmed up');
  const running = startConsumers({ config, brokers, database, reachable, feeds, metrics, heard, log });
  consumers = running;
  const reloadFeeds = createReload({
    read: readFeeds,
    record: (read) => recordUniqueidRules(database.sql, read, false),
    use: (read) => {
      feeds.replace(read);
      showFeeds();
      heard.expect(read);
    },
    declare: running.declareFeeds,
    log,
  });

  return {
    port: ops.port,
    failure: running.failure,
    consuming: running.consuming,
    reloadFeeds,
    stop: async () => {
      log.info('draining');
      await running.stop();
      await Promise.all([heard.stop(), stopWatching()]);
      await database.close(CONNECT_TIMEOUT_MS);
      await ops.close();
      log.info('stopped');
    },
  };
}

/** These may take seconds where there is much to add up. */
const SUMS = { everyMs: 60_000, rest: 50 };

/** Shows at /metrics what the database says of dead letters, late calls, feeds and switches. Returns how to stop. */
function watchState(
  { sql }: Pick<Database, 'sql'>,
  systemCurrency: string,
  metrics: Metrics,
  feeds: Feeds,
  log: Logger,
): () => Promise<void> {
  const onFailure = reportUnread(log);
  const sums = { ...SUMS, onFailure };
  const watches = [
    watch(() => readOpenDeadLetters(sql), metrics.deadLetters.set, { onFailure }),
    watch(() => readOpenAmounts(sql, systemCurrency), metrics.deadLetters.setAmounts, sums),
    watch(() => countUninvoiced(sql), metrics.uninvoiced.set, sums),
    watch(
      () => readHeard(sql),
      (states) => metrics.heard.set(states, new Set(feeds.all.map(({ name }) => name))),
      { onFailure },
    ),
  ];
  return async () => {
    await Promise.all(watches.map(({ stop }) => stop()));
  };
}
