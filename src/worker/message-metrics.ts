import type { Registry } from 'prom-client';
import { codeOf, codes, deadReasonOf, deadReasons } from '../domain/outcome.ts';
import { isValidationOnly } from '../domain/submission.ts';
import type { PipelineEvent } from './pipeline-events.ts';
import { metricsIn, PROCESSING_SECONDS } from './registry.ts';

const BATCH_SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** What becomes of messages. */
export function createMessageMetrics(registry: Registry) {
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
    batchSize: histogram('cdr_ingest_batch_messages', 'Messages in a batch.', BATCH_SIZES).labels(),
    persistSeconds: histogram(
      'cdr_ingest_settle_seconds',
      'Time to persist a batch, retries included.',
      PROCESSING_SECONDS,
    ).labels(),
  };
  // Every series is there from the start, because a rate cannot see the first increment of one that appears.
  for (const code of codes) metrics.results.inc({ code }, 0);
  for (const reason of deadReasons) metrics.deadLetters.inc({ reason }, 0);
  for (const cause of ['collision', 'lock', 'outage', 'message', 'broker'])
    metrics.troubles.inc({ cause }, 0);
  return metrics;
}

export type MessageMetrics = ReturnType<typeof createMessageMetrics>;

/** Counts what happened in a pipeline. */
export function countEvent(
  event: Exclude<PipelineEvent, { kind: 'waiting' }>,
  metrics: MessageMetrics,
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
  metrics: MessageMetrics,
): void {
  metrics.batchSize.observe(outcomes.length);
  metrics.persistSeconds.observe(persistMs / 1000);
  const byCode = new Map<string, number>();
  let reasons: Map<string, number> | undefined;
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
    if (reason !== null) reasons = increment(reasons ?? new Map(), reason);
  });
  for (const [code, count] of byCode) metrics.results.inc({ code }, count);
  for (const [reason, count] of reasons ?? []) metrics.deadLetters.inc({ reason }, count);
  if (duplicates > 0) metrics.duplicates.inc(duplicates);
  if (cleaned > 0) metrics.cleaned.inc(cleaned);
}

function increment(counts: Map<string, number>, name: string): Map<string, number> {
  return counts.set(name, (counts.get(name) ?? 0) + 1);
}
