import type { Registry } from 'prom-client';
import type { Logger } from '../ops/logger.ts';
import { metricsIn } from './registry.ts';

/** What `/metrics` shows of the exchange of billed calls. */
export function createBilledMetrics(registry: Registry) {
  const refused = metricsIn(registry).gauge(
    'cdr_ingest_billed_exchange_refused',
    '1 while the exchange of billed calls takes no message: it is missing, has no queue bound or a full one, or is closed to this user.',
  );
  refused.set(0);
  return { refused };
}

/** Shows and logs when the exchange of billed calls begins and ceases to refuse messages. */
export function reportBilled(
  { refused }: ReturnType<typeof createBilledMetrics>,
  exchange: string,
  log: Logger,
): (isRefused: boolean, detail: string) => void {
  return (isRefused, detail) => {
    refused.set(isRefused ? 1 : 0);
    if (isRefused)
      log.error(
        { exchange, detail },
        'the exchange of billed calls takes no message: declare it, bind a queue to it and give the worker write permission on it; calls are held until it takes them',
      );
    else log.info({ exchange }, 'the exchange of billed calls takes messages again');
  };
}
