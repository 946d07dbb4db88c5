import { Gauge, type Registry } from 'prom-client';

/** What a metric needs to know of the open dead letters of one reason. */
export interface OpenCount {
  reason: string;
  count: number;
  oldestSeconds: number;
}

/**
 * What `/metrics` shows of dead letters that wait for somebody. They are read now and then, never at a scrape.
 *
 * @param reasons every value of the label `reason`: each series is there from the start
 */
export function createDeadLetterMetrics(registry: Registry, reasons: readonly string[]) {
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
  for (const reason of reasons) open.set({ reason }, 0);
  return {
    set(deadLetters: readonly OpenCount[]): void {
      for (const { reason, count } of deadLetters) open.set({ reason }, count);
      oldest.set(Math.max(0, ...deadLetters.map(({ oldestSeconds }) => oldestSeconds)));
    },
  };
}
