import { setTimeout as sleep } from 'node:timers/promises';
import { admit } from '../admission.ts';
import { createVerifier } from '../auth/verifier.ts';
import { createConsumer, type Delivery } from '../broker/consumer.ts';
import { type ReplyRules, replyTo, resultFor } from '../broker/envelope.ts';
import { superviseConnection } from '../broker/supervisor.ts';
import { defaultNames } from '../broker/topology.ts';
import type { Config } from '../config.ts';
import { serveOps } from '../ops/http.ts';
import type { Logger } from '../ops/logger.ts';
import { createMetrics } from '../ops/metrics.ts';
import { Pipeline } from '../pipeline.ts';
import { classifyFailure, databaseReachable, describeFailure, openDatabase } from '../store/database.ts';
import { settle } from '../store/settle.ts';
import { sqlOf } from '../store/sql.ts';
import { readUsers } from '../store/users.ts';
import { backoffMs, OutageGuard } from './outage.ts';
import { createReplies } from './replies.ts';
import { declareOrUse, later, untilMigrated } from './starting.ts';

export const workerVariables = [
  'DATABASE_URL',
  'AMQP_URL',
  'SYSTEM_CURRENCY',
  'HTTP_PORT',
  'LOG_LEVEL',
  'IGNORED_PARAMETERS',
  'REPLY_TO_ALLOW',
  'MAX_BODY_BYTES',
  'BATCH_SIZE',
  'PREFETCH',
  'DELIVERY_LIMIT',
  'DATABASE_POOL',
  'STATEMENT_TIMEOUT_MS',
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
  /** Drains: what is in hand is settled, answered and acknowledged. Resolves when the worker has ended. */
  stop: () => Promise<void>;
  /** Rejects when the worker cannot go on; the process should end then. */
  failure: Promise<never>;
}

const REPLIES_IN_FLIGHT = 3;
const REACHABLE_TIMEOUT_MS = 3000;
const HEARTBEAT_SECONDS = 10;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Starts a worker: waits for its database and its broker, then consumes. Rejects when its HTTP port cannot be
 * had, or when `signal` ends the waiting.
 */
export async function startWorker(config: WorkerConfig, log: Logger, signal: AbortSignal): Promise<Worker> {
  const metrics = createMetrics(() => inHand());
  const random = Math.random;
  const database = openDatabase({
    url: config.DATABASE_URL,
    poolSize: config.DATABASE_POOL,
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    applicationName: 'cdr-ingest worker',
  });
  const reachable = () => databaseReachable(database.prisma, REACHABLE_TIMEOUT_MS);
  let ready = false;
  let isConsuming = () => false;
  let inHand = () => 0;
  const ops = await serveOps(config.HTTP_PORT, metrics.registry, async () => ({
    consuming: isConsuming(),
    database: ready && (await reachable()),
  }));
  log.info({ port: ops.port }, 'serving /livez, /readyz and /metrics');

  await untilMigrated(config.DATABASE_URL, log, signal);
  ready = true;

  const connect = (name: string) =>
    superviseConnection({
      urls: config.AMQP_URL,
      name: `cdr-ingest ${name}`,
      heartbeatSeconds: HEARTBEAT_SECONDS,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      random,
      log,
    });
  const consuming = connect('consume');
  const names = { ...defaultNames, deliveryLimit: config.DELIVERY_LIMIT };
  const replies = createReplies(
    { main: connect('reply'), direct: connect('direct reply') },
    config.CONFIRM_TIMEOUT_MS,
  );
  const verifier = createVerifier({ readUsers: (usernames) => readUsers(database.prisma, usernames) });
  const sql = sqlOf(database.prisma);
  const rules: ReplyRules = {
    resultsExchange: names.resultsExchange,
    allow: config.REPLY_TO_ALLOW,
    ownQueues: new Set([names.queue, names.deadQueue, names.resultsQueue]),
  };
  const admission = {
    maxBodyBytes: config.MAX_BODY_BYTES,
    ignored: new Set(config.IGNORED_PARAMETERS),
    systemCurrency: config.SYSTEM_CURRENCY,
    verify: verifier.check,
  };

  const pipeline: Pipeline<Delivery> = new Pipeline<Delivery>(
    {
      admit: (request) => admit(request, admission),
      settle: async (submissions) => {
        const outcomes = await settle(sql, submissions, config.SYSTEM_CURRENCY);
        outage.over();
        return outcomes;
      },
      blame: (error) => {
        const failure = classifyFailure(error);
        if (failure === 'outage') return 'outage';
        return failure === 'isolate' ? 'message' : 'collision';
      },
      describe: describeFailure,
      reply: (request, uniqueid, outcome) => replyTo(request.properties, uniqueid, outcome, rules),
      fallback: (request, uniqueid, outcome) => resultFor(request.properties, uniqueid, outcome, rules),
      publish: replies.publish,
      acknowledge: (deliveries) => {
        const now = performance.now();
        for (const delivery of deliveries) {
          consumer.settled(delivery);
          metrics.processSeconds.observe((now - delivery.receivedTick) / 1000);
        }
        consumer.flushAcks();
      },
      alive: (delivery) => consumer.isLive(delivery),
      pause: (cause, attempt) =>
        cause === 'outage' ? outage.wait(attempt) : sleep(backoffMs(attempt, random)),
      observe: (event) => {
        metrics.observe(event);
        if (event.kind === 'trouble') log.warn({ cause: event.cause }, event.description);
        if (event.kind === 'unreceivable')
          log.warn({ uniqueid: event.uniqueid }, 'nobody can receive the reply');
        if (event.kind === 'settled') {
          log.info(
            { messages: event.outcomes.length, settleMs: Math.round(event.settleMs * 10) / 10 },
            'batch settled',
          );
        }
      },
    },
    { batchSize: config.BATCH_SIZE, repliesInFlight: REPLIES_IN_FLIGHT },
  );

  const begun = later();
  const leaveSetup = consuming.attach({ onUp: (connection) => declareOrUse(connection, names, log) });
  const consumer = createConsumer(consuming, {
    queue: names.queue,
    prefetch: config.PREFETCH,
    keepBytes: config.MAX_BODY_BYTES,
    onDelivery: (delivery) => pipeline.accept(delivery, delivery),
    onState: (state) => {
      log.info({ state }, 'consumer');
      if (state === 'consuming') begun.resolve();
    },
  });
  const outage = new OutageGuard(consumer, {
    returnAfterMs: config.OUTAGE_RETURN_MS,
    reachable,
    random,
    onChange: (isPaused, description) => {
      metrics.paused.set(isPaused ? 1 : 0);
      log.warn(description);
    },
  });
  isConsuming = () => consumer.consuming && !outage.isPaused;
  inHand = () => consumer.inFlight;

  return {
    port: ops.port,
    failure: pipeline.failure,
    consuming: begun.promise,
    stop: async () => {
      log.info('draining');
      await consumer.stopConsuming();
      await Promise.race([pipeline.idle(), sleep(config.SHUTDOWN_GRACE_MS, undefined, { ref: false })]);
      await consumer.close();
      leaveSetup();
      await Promise.all([consuming.stop(), replies.stop()]);
      verifier.stop();
      await database.close(CONNECT_TIMEOUT_MS);
      await ops.close();
      log.info('stopped');
    },
  };
}
