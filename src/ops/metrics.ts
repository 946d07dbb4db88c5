import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { codeOf, deadReasonOf, deadReasons } from '../domain/outcome.ts';
import type { PipelineEvent } from '../pipeline.ts';

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
  const unreceivable = new Counter({
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
  const batchSize = new Histogram({
    name: 'cdr_ingest_batch_messages',
    help: 'Messages in a batch.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
    registers,
  });
  const settleSeconds = new Histogram({
    name: 'cdr_ingest_settle_seconds',
    help: 'Time that settling a batch took, retries included.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30],
    registers,
  });
  const processSeconds = new Histogram({
    name: 'cdr_ingest_process_seconds',
    help: 'Time from a delivery to its acknowledgement.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30],
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

  // A series that is there from the start, for a rate cannot see the first of one that appears.
  for (const code of ['201', '204', '400', '401', '402']) results.inc({ code }, 0);
  for (const reason of deadReasons) deadLetters.inc({ reason }, 0);
  for (const cause of ['collision', 'outage', 'message', 'broker']) troubles.inc({ cause }, 0);

  function observe(event: PipelineEvent): void {
    if (event.kind === 'unreceivable') unreceivable.inc();
    else if (event.kind === 'trouble') troubles.inc({ cause: event.cause });
    if (event.kind !== 'settled') return;
    batchSize.observe(event.outcomes.length);
    settleSeconds.observe(event.settleMs / 1000);
    event.outcomes.forEach((outcome, index) => {
      const admitted = event.admitted[index];
      if (admitted === undefined) return;
      results.inc({ code: codeOf(outcome) });
      if (outcome.kind === 'duplicate') duplicates.inc();
      if (admitted.cleaned > 0) cleaned.inc(admitted.cleaned);
      const { verdict } = admitted;
      const validationOnly = verdict.kind === 'call' ? verdict.call.validationOnly : verdict.validationOnly;
      const reason = deadReasonOf(outcome, validationOnly);
      if (reason !== null) deadLetters.inc({ reason });
    });
  }

  return { registry, observe, processSeconds, paused };
}

export type Metrics = ReturnType<typeof createMetrics>;
