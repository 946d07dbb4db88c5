import { hashPlaces } from '../auth/hash-queue.ts';
import { createVerifier, type Verifier } from '../auth/verifier.ts';
import { billingRulesOf, type billingVariables } from '../billing-rules.ts';
import { keepsOwnDeaths } from '../broker/delivery.ts';
import type { BrokerConnection } from '../broker/supervisor.ts';
import { defaultNames, type TopologyNames } from '../broker/topology.ts';
import type { Config } from '../config.ts';
import type { brokerOf } from '../connections.ts';
import { ignoredNames } from '../domain/ignored.ts';
import { RECORD_HEAD_BYTES } from '../domain/record-replay.ts';
import type { Logger } from '../ops/logger.ts';
import type { Database } from '../store/database.ts';
import { createPersistAroundLocks } from '../store/persist/around-locks.ts';
import { attemptsOn } from '../store/persist/attempts.ts';
import { HeldRows } from '../store/persist/held-rows.ts';
import { createReadAhead } from '../store/persist/read-ahead.ts';
import { readSourceRules } from '../store/source-rules.ts';
import { readUsers } from '../store/users.ts';
import { admit } from './admission.ts';
import { type BilledExchange, openBilledExchange } from './billed.ts';
import { reportBilled } from './billed-events.ts';
import { createConnect, openReplyConnections } from './connections.ts';
import { createDeadQueueAdmission } from './dead-queue.ts';
import { admitRecord } from './feed-admission.ts';
import type { Feeds } from './feeds.ts';
import type { Heard } from './heard.ts';
import type { Metrics } from './metrics.ts';
import { admitOrder } from './order-admission.ts';
import { createQueueAdmission } from './queue-admission.ts';
import { watchDepths } from './queue-depths.ts';
import { openQueueWorker, type QueueWorker, type SharedOptions } from './queue-worker.ts';
import { RecordedFeeds } from './recorded-feeds.ts';
import { admitReplay } from './replay-admission.ts';
import { reportReplies } from './reply-events.ts';
import { createReplyPublisher, type ReplyPublisher } from './reply-publisher.ts';
import { declareOrUse } from './startup.ts';
import { tryWaitingDeadLetters } from './waiting-dead-letters.ts';

/** Longest wait for a row that another worker has; half of the statement timeout where that is shorter. */
const WORKER_ROW_WAIT_MS = 3000;
/**
 * Deliveries from the dead queue: calls that expired are persisted in batches. Few, because whatever ends a worker there
 * counts against all that are in hand, and passwords wait their turn.
 */
const DEAD_PREFETCH = 50;
/** How often dead letters are tried that wait for a row. */
const WAITING_DEAD_LETTERS_MS = 5000;

/** The queues being consumed. */
export interface Consumers {
  /** Resolves when calls are consumed for the first time. */
  consuming: Promise<void>;
  /** Rejects when consuming cannot go on. */
  failure: Promise<never>;
  /** Persists, answers and acknowledges what is in hand, and leaves. */
  stop: () => Promise<void>;
  /** Declares the exchanges of feeds that are new. Rejects where the broker cannot be asked. */
  declareFeeds: () => Promise<void>;
  /** For /readyz. */
  state: () => {
    isConsuming: boolean;
    takesReplies: boolean;
    /** Null where nobody is to be told what calls were charged. */
    takesBilled: boolean | null;
    waiting: number;
  };
}

type ConsumerConfig = Pick<
  Config,
  | (typeof billingVariables)[number]
  | 'IGNORED_PARAMETERS'
  | 'REPLY_TO_ALLOW'
  | 'BILLED_EXCHANGE'
  | 'MAX_BODY_BYTES'
  | 'KEPT_BODY_BYTES'
  | 'BATCH_SIZE'
  | 'PREFETCH'
  | 'DELIVERY_LIMIT'
  | 'STATEMENT_TIMEOUT_MS'
  | 'LOCK_TIMEOUT_MS'
  | 'ROW_WAIT_MS'
  | 'CONFIRM_TIMEOUT_MS'
  | 'OUTAGE_RETURN_MS'
  | 'SHUTDOWN_GRACE_MS'
>;

export interface Environment {
  config: ConsumerConfig;
  brokers: ReturnType<typeof brokerOf>;
  database: Database;
  reachable: () => Promise<boolean>;
  feeds: Feeds;
  metrics: Metrics;
  heard: Pick<Heard, 'record'>;
  log: Logger;
}

/** Connects to the broker and consumes both queues: calls, and what the broker dead-lettered. */
export function startConsumers(environment: Environment): Consumers {
  const { config, database, metrics, log } = environment;
  const names = { ...defaultNames, deliveryLimit: config.DELIVERY_LIMIT };
  const connect = createConnect(environment.brokers, metrics.connections, log);
  const connections = [connect('consume'), connect('consume given up')] as const;
  // Before the consumers, so that their queues are there when they come up.
  const exchangesOfFeeds = () => environment.feeds.all.map(({ spec }) => spec);
  const declare = (connection: BrokerConnection) => declareOrUse(connection, names, exchangesOfFeeds(), log);
  const leaveSetup = connections.map((each) => each.attach({ onUp: declare }));
  const replies = createReplyPublisher(
    openReplyConnections(connect, log),
    config.CONFIRM_TIMEOUT_MS,
    reportReplies(metrics.replies, log),
  );
  const billed =
    config.BILLED_EXCHANGE === ''
      ? undefined
      : openBilledExchange(
          connect('billed'),
          config.BILLED_EXCHANGE,
          config.CONFIRM_TIMEOUT_MS,
          reportBilled(metrics.billed, config.BILLED_EXCHANGE, log),
        );
  const verifier = openVerifier(environment);
  const rules = admissionRules(environment, verifier);
  const { calls, deadQueue, consuming } = openQueueWorkers(
    environment,
    connections,
    names,
    { replies, billed },
    rules,
  );
  const stopWatchingDepths = watchDepths(
    connections[1],
    [calls, deadQueue].map(({ consumer, queue, showDepth }) => ({
      queue,
      isConsuming: () => consumer.consuming,
      show: showDepth,
    })),
  );
  const waitingDeadLetters = tryWaitingDeadLetters({
    database,
    rules,
    billing: billingRulesOf(config),
    billed,
    everyMs: WAITING_DEAD_LETTERS_MS,
    log,
  });
  return {
    consuming,
    failure: Promise.race([calls.failure, deadQueue.failure]),
    state: () => ({
      isConsuming: calls.consumer.consuming && !calls.isPaused(),
      takesReplies: replies.acceptsResults(),
      takesBilled: billed?.isTaking ?? null,
      waiting: calls.waiting() + deadQueue.waiting(),
    }),
    declareFeeds: async () => {
      const [{ current }] = connections;
      // Without a connection they are declared when there is one.
      if (current !== null) await declare(current);
    },
    stop: async () => {
      await Promise.all([
        waitingDeadLetters.stop(),
        stopWatchingDepths(),
        ...[calls, deadQueue].map((each) => each.drain(config.SHUTDOWN_GRACE_MS)),
      ]);
      for (const leave of leaveSetup) leave();
      await Promise.all([...connections.map((each) => each.stop()), replies.stop(), billed?.stop()]);
      verifier.stop();
    },
  };
}

function openQueueWorkers(
  environment: Environment,
  [consume, consumeDead]: readonly [QueueConnection, QueueConnection],
  names: TopologyNames,
  publishers: Publishers,
  rules: ReturnType<typeof admissionRules>,
): { calls: QueueWorker; deadQueue: QueueWorker; consuming: Promise<void> } {
  const { config, database, reachable, feeds } = environment;
  const rows = new HeldRows();
  const billing = billingRulesOf(config);
  const shared = sharedOptions(environment, names, publishers, rows);
  const persist = createPersistAroundLocks(attemptsOn(database, billing, config.STATEMENT_TIMEOUT_MS), rows, {
    lockTimeoutMs: config.LOCK_TIMEOUT_MS,
    patienceMs: Math.min(WORKER_ROW_WAIT_MS, Math.ceil(config.STATEMENT_TIMEOUT_MS / 2)),
  });
  let onConsuming: () => void = () => undefined;
  const consuming = new Promise<void>((resolve) => {
    onConsuming = resolve;
  });
  const calls = openQueueWorker(
    {
      connection: consume,
      queue: names.queue,
      prefetch: config.PREFETCH,
      isLast: false,
      admit: createQueueAdmission({
        exchange: names.exchange,
        feeds,
        recorded: new RecordedFeeds(() => readSourceRules(database.sql)),
        rules,
      }),
      prepare: createReadAhead(database.sql, billing, persist),
      onConsuming,
    },
    shared,
  );
  let serverVersion = '';
  // Before the consumer, whose first delivery may come before all users are set up.
  consumeDead.attach({
    onUp: (connection) => {
      serverVersion = connection.serverVersion;
    },
  });
  const deadQueue: QueueWorker = openQueueWorker(
    {
      connection: consumeDead,
      queue: names.deadQueue,
      prefetch: Math.min(config.PREFETCH, DEAD_PREFETCH),
      isLast: true,
      admit: createDeadQueueAdmission({
        database,
        billing,
        keeping: rules,
        deliveryLimit: config.DELIVERY_LIMIT,
        reachable,
        admit: (request) => admit(request, rules),
        feeds,
        admitRecord: (request, feed) => admitRecord(request, feed, rules),
        deadExchange: names.deadExchange,
        keepsOwnDeaths: () => keepsOwnDeaths(serverVersion),
        admitVouched: (delivery) =>
          delivery.correctionHeader === undefined
            ? admitReplay(delivery, delivery.replayHeader, rules)
            : admitOrder(delivery, delivery.correctionHeader, rules),
        persist,
        isLive: (delivery) => deadQueue.consumer.isLive(delivery),
        onUnkeepable: (description) => deadQueue.observe({ kind: 'unkeepable', description }),
      }),
      prepare: createReadAhead(database.sql, billing, persist),
    },
    shared,
  );
  return { calls, deadQueue, consuming };
}

/** Where outcomes are told. */
interface Publishers {
  replies: ReplyPublisher;
  billed: BilledExchange | undefined;
}

type QueueConnection = ReturnType<ReturnType<typeof createConnect>>;

function sharedOptions(
  { config, database, reachable, metrics, heard, log }: Environment,
  names: TopologyNames,
  { replies, billed }: Publishers,
  rows: HeldRows,
): SharedOptions {
  return {
    publish: replies.publish,
    isSlow: replies.isSlow,
    billed,
    replies: {
      resultsExchange: names.resultsExchange,
      allow: config.REPLY_TO_ALLOW,
      ownQueues: new Set([names.queue, names.deadQueue, names.resultsQueue]),
    },
    reachable,
    returnAfterMs: config.OUTAGE_RETURN_MS,
    rows,
    probe: () => rows.probe(database.sql),
    rowWaitMs: config.ROW_WAIT_MS,
    batchSize: config.BATCH_SIZE,
    keepBytes: config.MAX_BODY_BYTES + RECORD_HEAD_BYTES,
    metrics,
    heard,
    log,
  };
}

function openVerifier({ config, database, log }: Environment): Verifier {
  return createVerifier({
    readUsers: (usernames) => readUsers(database.sql, usernames),
    places: hashPlaces(config.PREFETCH, config.MAX_BODY_BYTES),
    onUnusable: (username) =>
      log.warn(
        { username },
        'stored hash is unusable (not argon2, or needs more than 64 MiB); every password of this user is refused',
      ),
  });
}

function admissionRules({ config, feeds }: Environment, verifier: Verifier) {
  return {
    feeds,
    program: 'worker' as const,
    maxBodyBytes: config.MAX_BODY_BYTES,
    keptBodyBytes: config.KEPT_BODY_BYTES,
    ignored: ignoredNames(config.IGNORED_PARAMETERS),
    systemCurrency: config.SYSTEM_CURRENCY,
    verify: verifier.checkLate,
    verifySoon: verifier.checkSoon,
    identify: verifier.identify,
  };
}
