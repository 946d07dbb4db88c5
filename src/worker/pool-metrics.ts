import type { Registry } from 'prom-client';
import { metricsIn } from './registry.ts';

const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** What `/metrics` shows of the pool of connections to the database. */
export function createPoolMetrics(registry: Registry) {
  const { gauge, histogram } = metricsIn(registry);
  let waiting = () => 0;
  gauge(
    'cdr_ingest_pool_waiting',
    'Statements and transactions that wait for a connection to the database.',
    [],
    (self) => self.set(waiting()),
  );
  const seconds = histogram(
    'cdr_ingest_pool_wait_seconds',
    'Time until they had one; also where none came in time.',
    SECONDS,
  ).labels();
  return {
    /** Where to ask who waits. */
    ask: (count: () => number) => {
      waiting = count;
    },
    waited: (milliseconds: number) => seconds.observe(milliseconds / 1000),
  };
}
