import { setTimeout as sleep } from 'node:timers/promises';
import { type Consumer, createConsumer, type Delivery, IN_FLIGHT_BYTES_MAX } from '../broker/consumer.ts';
import type { SupervisedConnection } from '../broker/supervisor.ts';
import type { PersistResult } from '../domain/held.ts';
import type { Logger } from '../ops/logger.ts';
import { backoffMs } from '../retry.ts';
import { LockedTable } from '../store/failures.ts';
import type { HeldRows } from '../store/persist/held-rows.ts';
import type { BilledExchange } from './billed.ts';
import type { Heard } from './heard.ts';
import { hear } from './heard-events.ts';
import type { Metrics } from './metrics.ts';
import { OutageGuard } from './outage.ts';
import { Pipeline, type PipelineSettings } from './pipeline.ts';
import { type EventSink, type PipelineEvent, reportEvents } from './pipeline-events.ts';
import type { Ports } from './ports.ts';

/** What the queue workers of one process share. */
export interface SharedOptions extends Pick<PipelineSettings, 'batchSize' | 'replies'> {
  publish: Ports<Delivery>['publish'];
  isSlow: NonNullable<Ports<Delivery>['isSlow']>;
  /** Tells others what calls were charged; missing where nobody is to be told. */
  billed: Pick<BilledExchange, 'publish' | 'isTaking'> | undefined;
  /** Whether the database answers. Never rejects. */
  reachable: () => Promise<boolean>;
  /** An outage that lasts longer gives the deliveries in hand back to the broker, once. */
  returnAfterMs: number;
  /** What of the database somebody else holds. */
  rows: HeldRows;
  /** Asks which locked rows are free. */
  probe: () => Promise<void>;
  /** How long a message may wait for a row. */
  rowWaitMs: number;
  /** Bytes of a body that are kept. */
  keepBytes: number;
  metrics: Metrics;
  /** Who is heard of. */
  heard: Pick<Heard, 'record'>;
  log: Logger;
}

/** One queue, and how its messages are admitted and persisted. */
export interface QueueWorkerOptions extends Pick<Ports<Delivery>, 'admit' | 'prepare'> {
  /** For this queue alone: what ends it must not end another queue's. */
  connection: SupervisedConnection;
  queue: string;
  prefetch: number;
  /** Messages that leave this queue unacknowledged would be lost, so those that cannot be kept stay in hand. */
  isLast: boolean;
  onConsuming?: () => void;
}

/** A queue being consumed. */
export interface QueueWorker {
  queue: string;
  consumer: Consumer;
  /** @param ready messages that wait in the queue; null where that is not known */
  showDepth: (ready: number | null) => void;
  failure: Promise<never>;
  isPaused: () => boolean;
  /** Messages in hand that wait for rows that somebody else holds. */
  waiting: () => number;
  /** Counts and logs an event beside those of the pipeline. */
  observe: (event: PipelineEvent) => void;
  /** Takes no more, persists, answers and acknowledges what is in hand, and leaves. Gives up after `graceMs`. */
  drain: (graceMs: number) => Promise<void>;
}

/**
 * Deliveries in one turn of the event loop. With more, the database would stand idle until all of them are admitted, because the
 * worker hears only between turns that a batch is written. With fewer, the turns cost more than that saves.
 */
const ADMITTED_AT_ONCE = 40;
const REPLIES_IN_FLIGHT = 3;
/**
 * Bytes of bodies that one transaction persists at most. A full batch of ordinary calls has half of it; read, written as
 * JSON and sent to the database they take several times as much.
 */
const BATCH_BYTES = 524_288;
/** Share of PREFETCH, and of the bytes in hand, that may wait for rows that somebody else holds. */
const WAITING_SHARE = 1 / 4;
const LOOK_EVERY_MS = 100;

const DATABASE = {
  begins: 'database unusable',
  ends: 'the database works again',
  until: 'the database answers',
};
const BILLED = {
  begins: 'billed messages are not taken',
  ends: 'billed messages are taken again',
  until: 'the exchange of billed calls takes them',
};

/** Whether the database can be used, although that error says that it cannot. */
export async function isWell(error: unknown, reachable: () => Promise<boolean>): Promise<boolean> {
  return !(error instanceof LockedTable) && (await reachable());
}

/** Consumes a queue: puts a pipeline between the broker and the database. */
export function openQueueWorker(options: QueueWorkerOptions, shared: SharedOptions): QueueWorker {
  const { queue, prefetch } = options;
  const { reachable, rows, billed, heard, log } = shared;
  const metrics = shared.metrics.of(queue, {
    isConsuming: () => consumer.consuming,
    inFlight: () => consumer.inFlight,
    inFlightBytes: () => consumer.inFlightBytes,
    oldestSince: () => consumer.oldestSince,
  });
  const events = reportEvents((event) => {
    metrics.observe(event);
    hear(event, heard);
  }, log);
  const gotThrough = (results: PersistResult[]) => {
    outage.over();
    return results;
  };
  const pipeline = new Pipeline<Delivery>(
    {
      admit: options.admit,
      prepare: (submissions, manner) => {
        const persist = options.prepare(submissions, manner);
        return () => persist().then(gotThrough);
      },
      publish: shared.publish,
      publishBilled:
        billed &&
        (async (messages) => {
          const results = await billed.publish(messages);
          if (results.includes('confirmed')) untold.over();
          return results;
        }),
      isSlow: shared.isSlow,
      acknowledge: (deliveries) => {
        for (const delivery of deliveries) consumer.done(delivery);
        consumer.flush();
        metrics.acknowledged(deliveries);
      },
      setAside: (delivery) => {
        metrics.setAside();
        consumer.setAside(delivery);
      },
      isLive: (delivery) => consumer.isLive(delivery),
      rows,
      look: async () => {
        await sleep(LOOK_EVERY_MS, undefined, { ref: false });
        // While the database is away no row gets free, and the batches tell of it.
        await shared.probe().catch(() => undefined);
      },
      isWell: (error) => isWell(error, reachable),
      pause: (cause, attempt) => {
        if (cause === 'outage') return outage.wait(attempt);
        return cause === 'billed' ? untold.wait(attempt) : sleep(backoffMs(attempt));
      },
      now: () => performance.now(),
      observe: events.observe,
    },
    {
      admittedAtOnce: ADMITTED_AT_ONCE,
      batchSize: shared.batchSize,
      batchBytes: BATCH_BYTES,
      replies: shared.replies,
      repliesInFlight: REPLIES_IN_FLIGHT,
      limit: Math.floor(prefetch * WAITING_SHARE),
      limitBytes: IN_FLIGHT_BYTES_MAX * WAITING_SHARE,
      holdsEndless: options.isLast,
      waitMs: shared.rowWaitMs,
    },
  );
  const consumer = createConsumer(options.connection, {
    queue,
    prefetch,
    keepBytes: shared.keepBytes,
    onDelivery: (delivery) => {
      if (delivery.unreadable !== undefined) metrics.unreadable();
      pipeline.accept(delivery);
    },
    onLost: metrics.lost,
    onState: (state) => {
      log.info({ queue, state }, 'consumer');
      if (state === 'consuming') options.onConsuming?.();
    },
  });
  const { returnAfterMs } = shared;
  const isPaused = () => outage.isPaused || untold.isPaused;
  const onChange = (_: boolean, description: string) => {
    metrics.paused(isPaused());
    log.warn({ queue }, description);
  };
  const outage = new OutageGuard(consumer, { returnAfterMs, reachable, words: DATABASE, onChange });
  const untold = new OutageGuard(consumer, {
    returnAfterMs,
    reachable: async () => billed?.isTaking !== false,
    words: BILLED,
    onChange,
  });
  return {
    queue,
    consumer,
    showDepth: metrics.depth,
    failure: pipeline.failure,
    isPaused,
    waiting: () => pipeline.waiting,
    observe: events.observe,
    drain: (graceMs) => drain({ queue, consumer, pipeline, events, log }, graceMs),
  };
}

/** What a queue worker consists of when it drains. */
export interface Draining {
  queue: string;
  consumer: Pick<Consumer, 'stopConsuming' | 'inFlight' | 'close'>;
  pipeline: Pick<Pipeline<Delivery>, 'idle'>;
  events: Pick<EventSink, 'flush'>;
  log: Pick<Logger, 'warn'>;
}

/** Leaves the queue even where the pipeline has failed, so that the broker gives to others what is in hand. */
export async function drain(
  { queue, consumer, pipeline, events, log }: Draining,
  graceMs: number,
): Promise<void> {
  try {
    await consumer.stopConsuming();
    const isIdle = await Promise.race([
      pipeline.idle().then(() => true),
      sleep(graceMs, false, { ref: false }),
    ]);
    if (!isIdle) {
      const { inFlight } = consumer;
      log.warn({ queue, inFlight }, 'the grace period is over: messages in hand go back to the broker');
    }
  } finally {
    await consumer.close().finally(events.flush);
  }
}
