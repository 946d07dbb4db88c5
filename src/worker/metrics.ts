import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type LossCause, lossCauses } from '../broker/consumer.ts';
import { codeOf, codes, deadReasonOf, deadReasons } from '../domain/outcome.ts';
import { isValidationOnly } from '../domain/submission.ts';
import { createBilledMetrics } from './billed-events.ts';
import { createHeardMetrics } from './heard-metrics.ts';
import { createInfoMetrics } from './info-metrics.ts';
import { createDeadLetterMetrics } from './open-dead-letters.ts';
import type { PipelineEvent } from './pipeline-events.ts';
import { createReplyMetrics } from './reply-events.ts';
import { createStatementMetrics } from './statement-reports.ts';
import { createUninvoicedMetrics } from './uninvoiced-metrics.ts';

/** What a metric needs to know about an acknowledged delivery. */
interface Acknowledged {
  /** Monotonic milliseconds. */
  receivedTick: number;
  /** Milliseconds since 1970, if the sender said when. */
  sentAt: number | null;
}

/** What is asked about a queue at each scrape. */
export interface QueueState {
  isConsuming: () => boolean;
  /** Deliveries not yet acknowledged. */
  inFlight: () => number;
}

const DURATIONS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];
const BATCH_SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
const AGES = [1, 2, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400];
const MESSAGING_LABELS = ['messaging_system', 'messaging_destination_name', 'messaging_operation_name'];

/** What `/metrics` shows. No label names a uniqueid or a customer: their number has no bound. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const queues = new Map<string, QueueState>();
  const messages = messageMetrics(registry);
  const queueMetrics = metricsByQueue(registry, queues);
  return {
    registry,
    /** What to tell about one queue. */
    of(queue: string, state: QueueState): QueueMetrics {
      queues.set(queue, state);
      const ofQueue = queueMetrics(queue);
      return {
        ...ofQueue,
        setAside: () => messages.setAside.inc(),
        observe: (event) => {
          if (event.kind === 'waiting') ofQueue.waiting(event.messages);
          else countEvent(event, messages);
        },
      };
    },
    replies: createReplyMetrics(registry),
    billed: createBilledMetrics(registry),
    statements: createStatementMetrics(registry),
    deadLetters: createDeadLetterMetrics(registry),
    uninvoiced: createUninvoicedMetrics(registry),
    heard: createHeardMetrics(registry),
    info: createInfoMetrics(registry),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

export interface QueueMetrics extends ReturnType<ReturnType<typeof metricsByQueue>> {
  setAside: () => void;
  observe: (event: PipelineEvent) => void;
}

function messageMetrics(registry: Registry) {
  const { counter, histogram } = metricsIn(registry);
  const metrics = {
    results: counter('cdr_ingest_results_total', 'Messages answered, by the code of their reply.', ['code']),
    duplicates: counter('cdr_ingest_duplicates_total', 'Calls already stored with the same content.'),
    deadLetters: counter('cdr_ingest_dead_letters_total', 'Messages kept as dead letters, by reason.', [
      'reason',
    ]),
    cleaned: counter(
      'cdr_ingest_cleaned_parameters_total',
      'Texts that were cut or had characters replaced.',
    ),
    unroutableReplies: counter(
      'cdr_ingest_unreceivable_replies_total',
      'Replies that could not be delivered.',
    ),
    skipped: counter('cdr_ingest_skipped_records_total', "Records left out by their feed's `skip`.", [
      'source',
    ]),
    guessedTimes: counter(
      'cdr_ingest_guessed_times_total',
      'Calls at a time that occurs twice that night, stored as at the first.',
      ['source'],
    ),
    troubles: counter('cdr_ingest_troubles_total', 'Failed attempts at a batch, by cause.', ['cause']),
    setAside: counter(
      'cdr_ingest_set_aside_total',
      'Messages sent to cdrs.dead because too many passwords of their user were waiting to be checked.',
    ),
    unkeepable: counter(
      'cdr_ingest_unkeepable_messages_total',
      'Messages whose dead letter the database refused in every form. They stay in hand.',
    ),
    batchSize: histogram('cdr_ingest_batch_messages', 'Messages in a batch.', BATCH_SIZES),
    persistSeconds: histogram(
      'cdr_ingest_settle_seconds',
      'Time to persist a batch, retries included.',
      DURATIONS,
    ),
  };
  // Every series is there from the start, because a rate cannot see the first increment of one that appears.
  for (const code of codes) metrics.results.inc({ code }, 0);
  for (const reason of deadReasons) metrics.deadLetters.inc({ reason }, 0);
  for (const cause of ['collision', 'outage', 'message', 'broker']) metrics.troubles.inc({ cause }, 0);
  return metrics;
}

function countEvent(
  event: Exclude<PipelineEvent, { kind: 'waiting' }>,
  metrics: ReturnType<typeof messageMetrics>,
): void {
  if (event.kind === 'unroutable reply') metrics.unroutableReplies.inc();
  else if (event.kind === 'trouble') metrics.troubles.inc({ cause: event.cause });
  else if (event.kind === 'unkeepable') metrics.unkeepable.inc();
  else if (event.kind === 'skipped') metrics.skipped.inc({ source: event.source });
  else countBatch(event, metrics);
}

/** Sums a batch before it counts: a labelled counter costs more than everything else that is done here. */
function countBatch(
  { messages, outcomes, persistMs }: Extract<PipelineEvent, { kind: 'persisted' }>,
  metrics: ReturnType<typeof messageMetrics>,
): void {
  metrics.batchSize.observe(outcomes.length);
  metrics.persistSeconds.observe(persistMs / 1000);
  const byCode = new Map<string, number>();
  const reasons = new Map<string, number>();
  let duplicates = 0;
  let cleaned = 0;
  outcomes.forEach((outcome, index) => {
    const submission = messages[index]?.submission;
    if (submission === undefined) return;
    increment(byCode, codeOf(outcome));
    if (outcome.kind === 'duplicate') duplicates += 1;
    cleaned += submission.cleaned;
    if (submission.kind === 'call' && submission.isTimeGuessed && outcome.kind === 'accepted')
      metrics.guessedTimes.inc({ source: submission.source });
    const validationOnly = isValidationOnly(submission);
    const reason = deadReasonOf(outcome, validationOnly);
    if (reason !== null) increment(reasons, reason);
  });
  for (const [code, count] of byCode) metrics.results.inc({ code }, count);
  for (const [reason, count] of reasons) metrics.deadLetters.inc({ reason }, count);
  if (duplicates > 0) metrics.duplicates.inc(duplicates);
  if (cleaned > 0) metrics.cleaned.inc(cleaned);
}

function increment(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function metricsByQueue(registry: Registry, queues: ReadonlyMap<string, QueueState>) {
  const { counter, gauge, histogram } = metricsIn(registry);
  gauge('cdr_ingest_in_flight_messages', 'Deliveries not yet acknowledged.', [], (self) => {
    self.set([...queues.values()].reduce((sum, { inFlight }) => sum + inFlight(), 0));
  });
  gauge('cdr_ingest_consuming', '1 while messages of a queue are consumed.', ['queue'], (self) => {
    for (const [queue, { isConsuming }] of queues) self.set({ queue }, isConsuming() ? 1 : 0);
  });
  const paused = gauge(
    'cdr_ingest_paused',
    '1 while an outage keeps the worker from persisting the messages of a queue.',
    ['queue'],
  );
  const waiting = gauge(
    'cdr_ingest_waiting_messages',
    'Messages in hand whose customer, invoice or dead letter is held.',
    ['queue'],
  );
  const losses = counter(
    'cdr_ingest_consumer_losses_total',
    'Subscriptions lost, by cause; decoding: because of what arrived on them.',
    ['queue', 'cause'],
  );
  const unreadable = counter(
    'cdr_ingest_unreadable_messages_total',
    'Messages whose headers or properties could not be read.',
    ['queue'],
  );
  const age = histogram(
    'cdr_ingest_message_age_seconds',
    'Time from the timestamp that the sender gave the message to its acknowledgement, in whole seconds.',
    AGES,
  );
  // Named by OpenTelemetry's conventions for messaging; what they have no name for begins with cdr_ingest.
  const processDuration = histogram(
    'messaging_process_duration_seconds',
    'Time from a delivery to its acknowledgement.',
    DURATIONS,
    MESSAGING_LABELS,
  );
  const consumed = counter(
    'messaging_client_consumed_messages_total',
    'Messages delivered, answered and acknowledged.',
    MESSAGING_LABELS,
  );

  return (queue: string) => {
    const labels = { messaging_system: 'rabbitmq', messaging_destination_name: queue };
    const processing = { ...labels, messaging_operation_name: 'process' };
    const duration = processDuration.labels(processing);
    const acknowledged = consumed.labels({ ...labels, messaging_operation_name: 'ack' });
    const unreadableHere = unreadable.labels({ queue });
    processDuration.zero(processing);
    acknowledged.inc(0);
    unreadableHere.inc(0);
    for (const cause of lossCauses) losses.inc({ queue, cause }, 0);
    paused.set({ queue }, 0);
    waiting.set({ queue }, 0);
    return {
      paused: (isPaused: boolean) => paused.set({ queue }, isPaused ? 1 : 0),
      waiting: (count: number) => waiting.set({ queue }, count),
      lost: (cause: LossCause) => losses.inc({ queue, cause }),
      unreadable: () => unreadableHere.inc(),
      acknowledged: (deliveries: readonly Acknowledged[]) => {
        const tick = performance.now();
        const clock = Date.now();
        acknowledged.inc(deliveries.length);
        for (const { receivedTick, sentAt } of deliveries) {
          duration.observe((tick - receivedTick) / 1000);
          // A sender whose clock is ahead has sent it now.
          if (sentAt !== null) age.observe(Math.max(0, clock - sentAt) / 1000);
        }
      },
    };
  };
}

/** How to declare metrics in a registry. */
function metricsIn(registry: Registry) {
  const registers = [registry];
  return {
    counter: (name: string, help: string, labelNames: string[] = []) =>
      new Counter({ name, help, labelNames, registers }),
    histogram: (name: string, help: string, buckets: number[], labelNames: string[] = []) =>
      new Histogram({ name, help, buckets, labelNames, registers }),
    gauge: (name: string, help: string, labelNames: string[], collect?: (self: Gauge) => void) =>
      new Gauge({
        name,
        help,
        labelNames,
        registers,
        ...(collect && {
          collect() {
            collect(this);
          },
        }),
      }),
  };
}
