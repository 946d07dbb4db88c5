import { hashPlaces } from '../auth/hash-queue.ts';
import { createVerifier } from '../auth/verifier.ts';
import type { Delivery } from '../broker/consumer.ts';
import { defaultNames } from '../broker/topology.ts';
import type { Config } from '../config.ts';
import { brokerOf, brokerVariables, databaseOf, databaseVariables } from '../connections.ts';
import { serveOps } from '../ops/http.ts';
import type { Logger } from '../ops/logger.ts';
import { databaseReachable, openDatabase, WORKER_NAME } from '../store/database.ts';
import { readOpenDeadLetters } from '../store/dead-letters/open.ts';
import { attemptsOn, createPersistAroundLocks } from '../store/persist/around-locks.ts';
import { HeldRows } from '../store/persist/held-rows.ts';
import { createReadAhead } from '../store/persist/read-ahead.ts';
import { readUsers } from '../store/users.ts';
import { admit, admitReplay, admitSoon } from './admission.ts';
import { createConnect, replyConnections } from './connections.ts';
import { watchDeadLetters } from './dead-letter-watch.ts';
import { deadQueueAdmission } from './dead-queue.ts';
import type { ReplyRules, Request } from './envelope.ts';
import { createMetrics } from './metrics.ts';
import { openQueueWorker, type QueueWorker, reportUnkeepable } from './queue.ts';
import { createReplies } from './replies.ts';
import { reportReplies } from './reply-reports.ts';
import { declareOrUse, later, untilMigrated } from './startup.ts';
import { reportStatements } from './statement-reports.ts';
import { tryWaitingDeadLetters } from './waiting-dead-letters.ts';

export const workerVariables = [
  ...databaseVariables,
  ...brokerVariables,
  'SYSTEM_CURRENCY',
  'HTTP_HOST',
  'HTTP_PORT',
  'LOG_LEVEL',
  'IGNORED_PARAMETERS',
  'REPLY_TO_ALLOW',
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

/** For a row that another worker has: longer than such a one is taken to have it for a moment only. */
const PATIENCE_MS = 3000;

export type WorkerConfig = Pick<Config, (typeof workerVariables)[number]>;

export interface Worker {
  /** Where /livez, /readyz and /metrics are. */
  port: number;
  /** Resolves when the worker consumes for the first time. */
  consuming: Promise<void>;
  /** Drains: what is in hand is persisted, answered and acknowledged. Resolves when the worker has ended. */
  stop: () => Promise<void>;
  /** Rejects when the worker cannot go on; the process should end then. */
  failure: Promise<never>;
}

/**
 * Of the queue of what the broker gave up on: calls that expired are persisted in batches. Few, because what ends a worker there
 * counts against all that are in hand, and passwords wait in turn.
 */
const DEAD_PREFETCH = 50;
/** How often dead letters are looked at that wait for a row. */
const WAITING_LETTERS_MS = 5000;
const REACHABLE_TIMEOUT_MS = 3000;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Starts a worker: waits for its database and its broker, then consumes. Rejects when its HTTP port cannot be
 * had, or when `signal` ends the waiting.
 */
export async function startWorker(config: WorkerConfig, log: Logger, signal: AbortSignal): Promise<Worker> {
  const address = databaseOf(config);
  const brokers = brokerOf(config);
  const metrics = createMetrics(() => inHand());
  const database = openDatabase({
    ...address,
    poolSize: config.DATABASE_POOL,
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
    lockTimeoutMs: config.LOCK_TIMEOUT_MS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    applicationName: WORKER_NAME,
    onStatement: reportStatements(metrics.statements, log),
  });
  const reachable = () => databaseReachable(database.sql, REACHABLE_TIMEOUT_MS);
  let ready = false;
  let isConsuming = () => false;
  let inHand = () => 0;
  let hasPlace = () => true;
  let waiting = () => 0;
  const ops = await serveOps({
    host: config.HTTP_HOST || undefined,
    port: config.HTTP_PORT,
    registry: metrics.registry,
    readiness: async () => ({
      consuming: isConsuming(),
      database: ready && (await reachable()),
      replies: hasPlace(),
      ...(waiting() > 0 && { waiting: waiting() }),
    }),
  });
  log.info({ port: ops.port }, 'serving /livez, /readyz and /metrics');

  await untilMigrated(address, log, signal).catch(async (error: unknown) => {
    await ops.close();
    throw error;
  });
  ready = true;

  const connect = createConnect(brokers, metrics, log);
  const consuming = connect('consume');
  const consumingDead = connect('consume given up');
  const names = { ...defaultNames, deliveryLimit: config.DELIVERY_LIMIT };
  const replies = createReplies(
    replyConnections(connect, log),
    config.CONFIRM_TIMEOUT_MS,
    reportReplies(metrics.replies, log),
  );
  hasPlace = replies.hasPlace;
  const verifier = createVerifier({
    readUsers: (usernames) => readUsers(database.sql, usernames),
    places: hashPlaces(config.PREFETCH, config.MAX_BODY_BYTES),
    onUnusable: (username) =>
      log.warn(
        { username },
        'no password matches what is stored for this user: no argon2 hash within 64 MiB',
      ),
  });
  const rules: ReplyRules = {
    resultsExchange: names.resultsExchange,
    allow: config.REPLY_TO_ALLOW,
    ownQueues: new Set([names.queue, names.deadQueue, names.resultsQueue]),
  };
  const admission = {
    maxBodyBytes: config.MAX_BODY_BYTES,
    keptBodyBytes: config.KEPT_BODY_BYTES,
    ignored: new Set(config.IGNORED_PARAMETERS),
    systemCurrency: config.SYSTEM_CURRENCY,
    verify: verifier.checkLate,
    verifySoon: verifier.checkSoon,
  };

  const admitRequest = (request: Request) => admit(request, admission);
  const admitAsReplay = (delivery: Delivery) => admitReplay(delivery, delivery.oneTimeToken, admission);
  const rows = new HeldRows();
  const persistBatch = createPersistAroundLocks(
    attemptsOn(database, config.SYSTEM_CURRENCY, config.STATEMENT_TIMEOUT_MS),
    rows,
    Math.min(PATIENCE_MS, Math.ceil(config.STATEMENT_TIMEOUT_MS / 2)),
    config.LOCK_TIMEOUT_MS,
  );
  const surroundings = {
    publish: replies.publish,
    isSlow: replies.isSlow,
    rules,
    reachable,
    returnAfterMs: config.OUTAGE_RETURN_MS,
    rows,
    probe: () => rows.probe(database.sql),
    rowWaitMs: config.ROW_WAIT_MS,
    batchSize: config.BATCH_SIZE,
    keepBytes: config.MAX_BODY_BYTES,
    metrics,
    log,
  };
  const begun = later();
  // Before the consumers, so that their queues are there when they come up.
  const leaveSetup = [consuming, consumingDead].map((each) =>
    each.attach({ onUp: (connection) => declareOrUse(connection, names, log) }),
  );
  const calls = openQueueWorker(
    {
      connection: consuming,
      queue: names.queue,
      prefetch: config.PREFETCH,
      isLast: false,
      admit: (delivery) =>
        delivery.oneTimeToken === undefined ? admitSoon(delivery, admission) : admitAsReplay(delivery),
      prepare: createReadAhead(database.sql, config.SYSTEM_CURRENCY, persistBatch),
      onState: (state) => {
        if (state === 'consuming') begun.resolve();
      },
    },
    surroundings,
  );
  const quarantined: QueueWorker = openQueueWorker(
    {
      connection: consumingDead,
      queue: names.deadQueue,
      prefetch: Math.min(config.PREFETCH, DEAD_PREFETCH),
      isLast: true,
      admit: deadQueueAdmission({
        database,
        systemCurrency: config.SYSTEM_CURRENCY,
        keeping: admission,
        deliveryLimit: config.DELIVERY_LIMIT,
        reachable,
        admit: admitRequest,
        admitReplay: admitAsReplay,
        persist: persistBatch,
        alive: (delivery) => quarantined.consumer.isLive(delivery),
        onUnkeepable: (description) => reportUnkeepable(description, surroundings),
      }),
      prepare: createReadAhead(database.sql, config.SYSTEM_CURRENCY, persistBatch),
    },
    surroundings,
  );
  const stopWatching = watchDeadLetters(() => readOpenDeadLetters(database.sql), metrics.deadLetters.set);
  const waitingDeadLetters = tryWaitingDeadLetters({
    database,
    rules: admission,
    everyMs: WAITING_LETTERS_MS,
    log,
  });
  isConsuming = () => calls.consumer.consuming && !calls.isPaused();
  waiting = () => calls.waiting() + quarantined.waiting();
  inHand = () => calls.consumer.inFlight + quarantined.consumer.inFlight;

  return {
    port: ops.port,
    failure: Promise.race([calls.failure, quarantined.failure]),
    consuming: begun.promise,
    stop: async () => {
      log.info('draining');
      await Promise.all([
        waitingDeadLetters.stop(),
        ...[calls, quarantined].map((intake) => intake.drain(config.SHUTDOWN_GRACE_MS)),
      ]);
      for (const leave of leaveSetup) leave();
      await Promise.all([consuming.stop(), consumingDead.stop(), replies.stop()]);
      verifier.stop();
      await stopWatching();
      await database.close(CONNECT_TIMEOUT_MS);
      await ops.close();
      log.info('stopped');
    },
  };
}
