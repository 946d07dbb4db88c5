import { Gauge, type Registry } from 'prom-client';
import type { Uninvoiced } from '../store/late/count.ts';

/** What `/metrics` shows of calls and corrections that no invoice took. They are counted now and then, never at a scrape. */
export function createUninvoicedMetrics(registry: Registry) {
  const registers = [registry];
  const calls = new Gauge({
    name: 'cdr_ingest_uninvoiced_calls',
    help: 'Calls and corrections that belong on an invoice and that none took, by currency; not counted beyond 100,000.',
    labelNames: ['currency'],
    registers,
  });
  const amount = new Gauge({
    name: 'cdr_ingest_uninvoiced_amount',
    help: 'Their cost and tax, by currency.',
    labelNames: ['currency'],
    registers,
  });
  const oldest = new Gauge({
    name: 'cdr_ingest_oldest_uninvoiced_seconds',
    help: 'Time since the oldest of them was stored; 0 without any.',
    registers,
  });
  return {
    set(uninvoiced: readonly Uninvoiced[]): void {
      for (const gauge of [calls, amount]) gauge.reset();
      for (const { currency, count, amount: sum } of uninvoiced) {
        calls.set({ currency }, count);
        amount.set({ currency }, sum);
      }
      oldest.set(Math.max(0, ...uninvoiced.map(({ oldestSeconds }) => oldestSeconds)));
    },
  };
}
