import type { Registry } from 'prom-client';
import type { Uninvoiced } from '../store/late/count.ts';
import { metricsIn } from './registry.ts';

/** What `/metrics` shows of calls and corrections that no invoice took. They are counted now and then, never at a scrape. */
export function createUninvoicedMetrics(registry: Registry) {
  const { gauge, unknownGauge } = metricsIn(registry);
  const calls = gauge(
    'cdr_ingest_uninvoiced_calls',
    'Calls and corrections that belong on an invoice and that none took, by currency; not counted beyond 100,000.',
    ['currency'],
  );
  const amount = gauge('cdr_ingest_uninvoiced_amount', 'Their cost and tax, by currency.', ['currency']);
  const oldest = unknownGauge(
    'cdr_ingest_oldest_uninvoiced_seconds',
    'Time since the oldest of them was stored; 0 without any.',
  );
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
