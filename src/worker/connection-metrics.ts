import type { Registry } from 'prom-client';
import { type ConnectionLoss, connectionLosses } from '../broker/connect.ts';
import { metricsIn } from './registry.ts';

/** The connections that every worker has all the time. */
const STANDING = ['consume', 'consume given up', 'reply', 'results'] as const;

/** What `/metrics` shows of the connections to the broker. */
export function createConnectionMetrics(registry: Registry) {
  const { counter, gauge } = metricsIn(registry);
  const connected = gauge(
    'cdr_ingest_connected',
    '1 while a connection to the broker is up. Connections for direct replies appear once the first direct reply is sent.',
    ['connection'],
  );
  const losses = counter(
    'cdr_ingest_connection_losses_total',
    'Connections to the broker that were lost, by cause.',
    ['connection', 'cause'],
  );
  /** A connection that is not up yet. */
  function of(connection: string) {
    const isUp = connected.labels(connection);
    isUp.set(0);
    for (const cause of connectionLosses) losses.inc({ connection, cause }, 0);
    return {
      up: () => isUp.set(1),
      /** @param loss null where this side has closed it */
      down: (loss: ConnectionLoss | null) => {
        isUp.set(0);
        if (loss !== null) losses.inc({ connection, cause: loss });
      },
    };
  }
  for (const connection of STANDING) of(connection);
  return { of };
}

export type ConnectionMetrics = ReturnType<typeof createConnectionMetrics>;
