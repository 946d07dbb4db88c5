import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Consumer,
  type ConsumerState,
  createConsumer,
  type Delivery,
  IN_FLIGHT_BYTES_MAX,
} from '../broker/consumer.ts';
import type { SupervisedConnection } from '../broker/supervisor.ts';
import { minimalDeadLetter } from '../domain/dead-letter.ts';
import type { Manner } from '../domain/held.ts';
import { codeOf } from '../domain/outcome.ts';
import { responsesTo } from '../domain/reply.ts';
import type { Submission } from '../domain/submission.ts';
import type { Logger } from '../ops/logger.ts';
import { backoffMs } from '../retry.ts';
import { classifyFailure, describeFailure } from '../store/database.ts';
import { LockedTable } from '../store/failures.ts';
import type { HeldRows } from '../store/persist/held-rows.ts';
import type { Entry, SetAside } from './admission.ts';
import { BoundedLines } from './bounded-lines.ts';
import { type Reply, type ReplyRules, type Request, replyTo, resultFor } from './envelope.ts';
import type { Metrics } from './metrics.ts';
import { OutageGuard } from './outage.ts';
import { type Persist, Pipeline, type PipelineEvent, type Ports } from './pipeline.ts';

/** What every queue that a worker consumes shares. */
export interface Surroundings {
  publish: Ports<Delivery>['publish'];
  isSlow: (reply: Reply) => boolean;
  rules: ReplyRules;
  reachable: () => Promise<boolean>;
  returnAfterMs: number;
  /** What of the database somebody else holds, and how to see whether it still is. */
  rows: HeldRows;
  probe: () => Promise<void>;
  rowWaitMs: number;
  batchSize: number;
  keepBytes: number;
  metrics: Metrics;
  log: Logger;
}

/** One queue and what is done with its messages. */
export interface QueueWorkerOptions {
  /** For this queue alone: what ends it must not end another queue's. */
  connection: SupervisedConnection;
  queue: string;
  prefetch: number;
  /** What leaves this queue unacknowledged would be lost: so it stays in hand. */
  isLast: boolean;
  admit: (delivery: Delivery) => Entry | SetAside | Promise<Entry | SetAside>;
  prepare: (submissions: readonly Submission[], manner?: Manner) => Persist;
  onState?: (state: ConsumerState) => void;
}

/** A queue being consumed. */
export interface QueueWorker {
  consumer: Consumer;
  failure: Promise<never>;
  isPaused: () => boolean;
  /** Messages in hand whose rows somebody else holds. */
  waiting: () => number;
  /** Takes no more, persists and answers what is in hand, acknowledges it, and leaves. Gives up after `graceMs`. */
  drain: (graceMs: number) => Promise<void>;
}

const REPLIES_IN_FLIGHT = 3;
/**
 * Bytes of bodies that one transaction persists at most. A full batch of ordinary calls has half of it; read, written as
 * JSON and sent to the database they take several times as much.
 */
const BATCH_BYTES = 524_288;
/** Of PREFETCH, and of the bytes in hand, what may wait for rows that somebody else holds: the rest is for everybody else. */
const WAITING_SHARE = 1 / 4;
const LOOK_EVERY_MS = 100;

/** Whether the database can be used, although that error says that it cannot. */
export async function isWell(error: unknown, reachable: () => Promise<boolean>): Promise<boolean> {
  return !(error instanceof LockedTable) && (await reachable());
}

/** Puts a pipeline between a queue and the database. */
export function openQueueWorker(options: QueueWorkerOptions, surroundings: Surroundings): QueueWorker {
  const { rules, metrics, log } = surroundings;
  const answered = metrics.answeredFrom(options.queue);
  const lines = linesTo(log);
  const door = metrics.doorOf(options.queue, () => consumer.consuming);
  const pipeline = new Pipeline<Delivery>(
    {
      admit: (_, delivery) => options.admit(delivery),
      prepare: (submissions, manner) => {
        const persist = options.prepare(submissions, manner);
        return async () => {
          const outcomes = await persist();
          outage.over();
          return outcomes;
        };
      },
      classify: classifyFailure,
      describe: describeFailure,
      isWell: (error) => isWell(error, surroundings.reachable),
      hold: (row, why) => surroundings.rows.refuse(row, why),
      free: (row) => surroundings.rows.free(row),
      isHeld: (row) => surroundings.rows.isHeld(row),
      isRefused: (row) => surroundings.rows.isRefused(row),
      look: async () => {
        await sleep(LOOK_EVERY_MS, undefined, { ref: false });
        // While the database is away nobody gets free, and the batches tell of it.
        await surroundings.probe().catch(() => undefined);
      },
      now: () => performance.now(),
      minimal: ({ body, bytes }) => minimalDeadLetter(body, bytes),
      // The sender hears of the latest replay alone.
      reply: (request, uniqueid, outcome) =>
        (outcome.kind === 'superseded' ? resultFor : replyTo)(request.properties, uniqueid, outcome, rules),
      fallback: (request, uniqueid, outcome) => resultFor(request.properties, uniqueid, outcome, rules),
      publish: surroundings.publish,
      isSlow: surroundings.isSlow,
      acknowledge: (deliveries) => {
        for (const delivery of deliveries) consumer.ack(delivery);
        consumer.flushAcks();
        answered(deliveries);
      },
      setAside: (delivery) => {
        metrics.setAside.inc();
        consumer.setAside(delivery);
      },
      alive: (delivery) => consumer.isLive(delivery),
      pause: (cause, attempt) => (cause === 'outage' ? outage.wait(attempt) : sleep(backoffMs(attempt))),
      observe: (event) => {
        metrics.observe(event, options.queue);
        report(event, log, lines);
      },
    },
    {
      batchSize: surroundings.batchSize,
      batchBytes: BATCH_BYTES,
      repliesInFlight: REPLIES_IN_FLIGHT,
      limit: Math.floor(options.prefetch * WAITING_SHARE),
      limitBytes: IN_FLIGHT_BYTES_MAX * WAITING_SHARE,
      holdsEndless: options.isLast,
      waitMs: surroundings.rowWaitMs,
    },
  );
  const consumer = createConsumer(options.connection, {
    queue: options.queue,
    prefetch: options.prefetch,
    keepBytes: surroundings.keepBytes,
    onDelivery: (delivery) => {
      if (delivery.unreadable !== undefined) door.unreadable.inc();
      pipeline.accept(delivery, delivery);
    },
    onLost: door.lost,
    onState: (state) => {
      log.info({ queue: options.queue, state }, 'consumer');
      options.onState?.(state);
    },
  });
  const outage = new OutageGuard(consumer, {
    returnAfterMs: surroundings.returnAfterMs,
    reachable: surroundings.reachable,
    onChange: (isPaused, description) => {
      metrics.paused.set({ queue: options.queue }, isPaused ? 1 : 0);
      log.warn({ queue: options.queue }, description);
    },
  });
  metrics.paused.set({ queue: options.queue }, 0);
  metrics.waiting.set({ queue: options.queue }, 0);
  return {
    consumer,
    failure: pipeline.failure,
    isPaused: () => outage.isPaused,
    waiting: () => pipeline.waiting,
    drain: async (graceMs) => {
      await consumer.stopConsuming();
      await Promise.race([pipeline.idle(), sleep(graceMs, undefined, { ref: false })]);
      await consumer.close();
      for (const each of Object.values(lines)) each.flush();
    },
  };
}

/** Of single messages, whose number is their senders' choice. */
interface Lines {
  refused: BoundedLines;
  unroutableReply: BoundedLines;
}

function linesTo(log: Logger): Lines {
  return {
    refused: new BoundedLines({
      line: (fields) => log.info(fields, 'refused'),
      more: (count, codes) => log.info(`and ${count} more refused: ${codes}`),
    }),
    unroutableReply: new BoundedLines({
      line: (fields) => log.warn(fields, 'nobody can receive the reply'),
      more: (count) => log.warn(`and ${count} more replies that nobody can receive`),
    }),
  };
}

/** Says that a message can be neither persisted nor kept. */
export function reportUnkeepable(description: string, { metrics, log }: Surroundings): void {
  const event: PipelineEvent = { kind: 'unkeepable', description };
  metrics.observe(event, '');
  report(event, log, linesTo(log));
}

/**
 * One line a batch, and one a refused message while there are few: the parameters at fault, never their values. A batch
 * carries the
 * correlation id of its first message; at level debug each of its messages has a line.
 */
function report(event: PipelineEvent, log: Logger, lines: Lines): void {
  const isDetailed = log.isLevelEnabled('debug');
  if (event.kind === 'trouble') {
    log.warn({ cause: event.cause }, event.description);
    return;
  }
  if (event.kind === 'waiting') return;
  if (event.kind === 'unkeepable') {
    const { description } = event;
    log.error(
      { description },
      'no dead letter of a message can be kept, not even of its bytes: it stays in hand',
    );
    return;
  }
  if (event.kind === 'unroutable reply') {
    lines.unroutableReply.write('', () => ({ uniqueid: event.uniqueid, ...tracing(event.request) }));
    return;
  }
  const [first] = event.requests;
  log.info(
    {
      messages: event.outcomes.length,
      persistMs: Math.round(event.persistMs),
      ...(first !== undefined && tracing(first)),
    },
    'batch settled',
  );
  event.outcomes.forEach((outcome, index) => {
    const code = codeOf(outcome);
    const isRefused = !code.startsWith('2');
    const request = event.requests[index];
    if (request === undefined || (!isRefused && !isDetailed)) return;
    const uniqueid = event.admitted[index]?.uniqueid ?? null;
    const line = { code, outcome: outcome.kind, uniqueid, ...tracing(request) };
    const refusal = () => ({ ...line, keys: responsesTo(outcome).map(({ key }) => key) });
    if (!isRefused) log.debug(line, 'accepted');
    else if (isDetailed) log.info(refusal(), 'refused');
    else lines.refused.write(code, refusal);
  });
}

/** What a line and its message have in common. */
function tracing({ properties }: Request) {
  const { correlationId, messageId, traceparent } = properties;
  return { correlationId: correlationId ?? messageId, ...(traceparent !== undefined && { traceparent }) };
}
