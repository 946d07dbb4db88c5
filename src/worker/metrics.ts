import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type LossCause, lossCauses } from '../broker/consumer.ts';
import { codeOf, deadReasonOf, deadReasons } from '../domain/outcome.ts';
import { diversions } from '../domain/reply.ts';
import { createDeadLetterMetrics } from './dead-letter-metrics.ts';
import type { PipelineEvent } from './pipeline.ts';
import { createReplyMetrics } from './reply-metrics.ts';
import { createStatementMetrics } from './statement-reports.ts';

/** What a metric needs to know of a delivery. */
export interface Answered {
  /** Monotonic milliseconds. */
  receivedTick: number;
  /** Milliseconds since 1970, if the sender said when. */
  sentAt: number | null;
}

const DURATIONS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];
const messagingLabels = ['messaging_system', 'messaging_destination_name', 'messaging_operation_name'];

/** Counts by name. */
class Tally {
  readonly counts = new Map<string, number>();

  add(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }
}

/**
 * What `/metrics` shows. No label names a uniqueid or a customer: their number has no bound.
 *
 * @param inFlight deliveries not yet acknowledged, asked at each scrape
 */
export function createMetrics(inFlight: () => number = () => 0) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const results = new Counter({
    name: 'cdr_ingest_results_total',
    help: 'Messages settled, by the code of their reply.',
    labelNames: ['code'],
    registers,
  });
  const duplicates = new Counter({
    name: 'cdr_ingest_duplicates_total',
    help: 'Calls that were stored before with the same content.',
    registers,
  });
  const deadLetters = new Counter({
    name: 'cdr_ingest_dead_letters_total',
    help: 'Messages kept as dead letters, by reason.',
    labelNames: ['reason'],
    registers,
  });
  const cleaned = new Counter({
    name: 'cdr_ingest_cleaned_parameters_total',
    help: 'Texts in which characters were replaced or which were cut.',
    registers,
  });
  const unroutableReply = new Counter({
    name: 'cdr_ingest_unreceivable_replies_total',
    help: 'Replies that nobody could receive.',
    registers,
  });
  const troubles = new Counter({
    name: 'cdr_ingest_troubles_total',
    help: 'Failures that a batch met, by whose fault they were.',
    labelNames: ['cause'],
    registers,
  });
  const setAside = new Counter({
    name: 'cdr_ingest_set_aside_total',
    help: 'Messages moved to the queue of what was given up on because too many passwords of their user waited.',
    registers,
  });
  const batchSize = new Histogram({
    name: 'cdr_ingest_batch_messages',
    help: 'Messages in a batch.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
    registers,
  });
  const persistSeconds = new Histogram({
    name: 'cdr_ingest_settle_seconds',
    help: 'Time that settling a batch took, retries included.',
    buckets: DURATIONS,
    registers,
  });
  // Named by OpenTelemetry's conventions for messaging; what they have no name for begins with cdr_ingest.
  const processDuration = new Histogram({
    name: 'messaging_process_duration_seconds',
    help: 'Time from a delivery to its acknowledgement.',
    labelNames: messagingLabels,
    buckets: DURATIONS,
    registers,
  });
  const consumed = new Counter({
    name: 'messaging_client_consumed_messages_total',
    help: 'Messages delivered, answered and acknowledged.',
    labelNames: messagingLabels,
    registers,
  });
  const age = new Histogram({
    name: 'cdr_ingest_message_age_seconds',
    help: 'Time from the timestamp that a sender gave its message to the acknowledgement; in whole seconds.',
    buckets: [1, 2, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400],
    registers,
  });
  new Gauge({
    name: 'cdr_ingest_in_flight_messages',
    help: 'Deliveries not yet acknowledged.',
    registers,
    collect() {
      this.set(inFlight());
    },
  });
  const paused = new Gauge({
    name: 'cdr_ingest_paused',
    help: '1 while trouble keeps the worker from settling what comes from a queue.',
    labelNames: ['queue'],
    registers,
  });
  const waiting = new Gauge({
    name: 'cdr_ingest_waiting_messages',
    help: 'Messages in hand whose customer, invoice or dead letter somebody else holds or refuses.',
    labelNames: ['queue'],
    registers,
  });
  const unkeepable = new Counter({
    name: 'cdr_ingest_unkeepable_messages_total',
    help: 'Messages whose dead letter the database refused in every form. They stay in hand.',
    registers,
  });

  const consuming = new Map<string, () => boolean>();
  new Gauge({
    name: 'cdr_ingest_consuming',
    help: '1 while messages of a queue are taken.',
    labelNames: ['queue'],
    registers,
    collect() {
      for (const [queue, isConsuming] of consuming) this.set({ queue }, isConsuming() ? 1 : 0);
    },
  });
  const losses = new Counter({
    name: 'cdr_ingest_consumer_losses_total',
    help: 'Subscriptions that were lost, by what was lost; decoding: for what came on them.',
    labelNames: ['queue', 'cause'],
    registers,
  });
  const unreadable = new Counter({
    name: 'cdr_ingest_unreadable_messages_total',
    help: 'Messages whose headers or properties could not be taken.',
    labelNames: ['queue'],
    registers,
  });

  // A series that is there from the start, for a rate cannot see the first of one that appears.
  for (const code of ['201', '204', '400', '401', '402']) results.inc({ code }, 0);
  for (const reason of deadReasons) deadLetters.inc({ reason }, 0);
  for (const cause of ['collision', 'outage', 'message', 'broker']) troubles.inc({ cause }, 0);

  /** Sums a batch before it counts: a labelled counter costs more than everything else that is done here. */
  function observe(event: PipelineEvent, queue: string): void {
    if (event.kind === 'unroutable reply') unroutableReply.inc();
    else if (event.kind === 'trouble') troubles.inc({ cause: event.cause });
    else if (event.kind === 'waiting') waiting.set({ queue }, event.messages);
    else if (event.kind === 'unkeepable') unkeepable.inc();
    if (event.kind !== 'persisted') return;
    batchSize.observe(event.outcomes.length);
    persistSeconds.observe(event.persistMs / 1000);
    const codes = new Tally();
    const reasons = new Tally();
    let repeated = 0;
    let cleanedTexts = 0;
    event.outcomes.forEach((outcome, index) => {
      const admitted = event.admitted[index];
      if (admitted === undefined) return;
      codes.add(codeOf(outcome));
      if (outcome.kind === 'duplicate') repeated += 1;
      cleanedTexts += admitted.cleaned;
      const { verdict } = admitted;
      const validationOnly = verdict.kind === 'call' ? verdict.call.validationOnly : verdict.validationOnly;
      const reason = deadReasonOf(outcome, validationOnly);
      if (reason !== null) reasons.add(reason);
    });
    for (const [code, count] of codes.counts) results.inc({ code }, count);
    for (const [reason, count] of reasons.counts) deadLetters.inc({ reason }, count);
    if (repeated > 0) duplicates.inc(repeated);
    if (cleanedTexts > 0) cleaned.inc(cleanedTexts);
  }

  /** What to tell of deliveries of a queue that have been acknowledged. */
  function answeredFrom(queue: string): (deliveries: readonly Answered[]) => void {
    const labels = { messaging_system: 'rabbitmq', messaging_destination_name: queue };
    const processing = { ...labels, messaging_operation_name: 'process' };
    const duration = processDuration.labels(processing);
    const count = consumed.labels({ ...labels, messaging_operation_name: 'ack' });
    processDuration.zero(processing);
    count.inc(0);
    return (deliveries) => {
      const tick = performance.now();
      const clock = Date.now();
      count.inc(deliveries.length);
      for (const { receivedTick, sentAt } of deliveries) {
        duration.observe((tick - receivedTick) / 1000);
        // A sender whose clock is ahead has sent it now.
        if (sentAt !== null) age.observe(Math.max(0, clock - sentAt) / 1000);
      }
    };
  }

  /** What to tell of what comes in from a queue; `isConsuming` is asked at each scrape. */
  function doorOf(queue: string, isConsuming: () => boolean) {
    consuming.set(queue, isConsuming);
    for (const cause of lossCauses) losses.inc({ queue, cause }, 0);
    unreadable.inc({ queue }, 0);
    return {
      unreadable: unreadable.labels({ queue }),
      lost: (cause: LossCause) => losses.inc({ queue, cause }),
    };
  }

  return {
    registry,
    observe,
    answeredFrom,
    doorOf,
    paused,
    waiting,
    setAside,
    replies: createReplyMetrics(registry, diversions),
    statements: createStatementMetrics(registry),
    deadLetters: createDeadLetterMetrics(registry, deadReasons),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
