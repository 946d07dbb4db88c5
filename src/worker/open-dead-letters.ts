import { Gauge, type Registry } from 'prom-client';
import { deadReasons } from '../domain/outcome.ts';
import type { OpenDeadLetters } from '../store/dead-letters/open.ts';

/** What `/metrics` shows of dead letters that wait for an operator. They are counted now and then, never at a scrape. */
export function createDeadLetterMetrics(registry: Registry) {
  const registers = [registry];
  const open = new Gauge({
    name: 'cdr_ingest_open_dead_letters',
    help: 'Dead letters that are neither resolved nor discarded, by reason; not counted beyond 100,000 of each.',
    labelNames: ['reason'],
    registers,
  });
  const oldest = new Gauge({
    name: 'cdr_ingest_oldest_open_dead_letter_seconds',
    help: 'Age of the oldest dead letter that is neither resolved nor discarded; 0 without any.',
    registers,
  });
  for (const reason of deadReasons) open.set({ reason }, 0);
  return {
    set(deadLetters: readonly OpenDeadLetters[]): void {
      for (const { reason, count } of deadLetters) open.set({ reason }, count);
      oldest.set(Math.max(0, ...deadLetters.map(({ oldestSeconds }) => oldestSeconds)));
    },
  };
}
