import type { Registry } from 'prom-client';
import type { OpenAmount, OpenDeadLetters } from '../store/dead-letters/open.ts';
import { metricsIn } from './registry.ts';

/**
 * What `/metrics` shows of dead letters that wait for an operator. They are counted now and then, never at a scrape, and
 * nothing is shown before they were counted for the first time.
 */
export function createDeadLetterMetrics(registry: Registry) {
  const { gauge } = metricsIn(registry);
  const open = gauge(
    'cdr_ingest_open_dead_letters',
    'Dead letters that are neither resolved nor discarded, by reason; not counted beyond 100,000 of each.',
    ['reason'],
  );
  const oldest = gauge(
    'cdr_ingest_oldest_open_dead_letter_seconds',
    'Age of the oldest of them, by reason; 0 without any.',
    ['reason'],
  );
  const amounts = gauge(
    'cdr_ingest_open_dead_letters_amount',
    'Their cost, by reason and currency, where the sender is verified and the cost can be read; not added up beyond the oldest 10,000 of each reason.',
    ['reason', 'currency'],
  );
  return {
    set(deadLetters: readonly OpenDeadLetters[]): void {
      for (const { reason, count, oldestSeconds } of deadLetters) {
        open.set({ reason }, count);
        oldest.set({ reason }, oldestSeconds);
      }
    },
    setAmounts(found: readonly OpenAmount[]): void {
      amounts.reset();
      for (const { reason, currency, amount } of found) amounts.set({ reason, currency }, amount);
    },
  };
}
