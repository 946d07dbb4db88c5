import { quietLog } from '../broker/log.ts';
import {
  type SupervisedConnection,
  type SupervisorOptions,
  superviseConnection,
} from '../broker/supervisor.ts';
import type { Logger } from '../ops/logger.ts';
import type { ConnectionMetrics } from './connection-metrics.ts';
import type { ReplyConnections } from './reply-publisher.ts';

/** Silence of two to three times this ends a connection: within 15 s, so that half a connection costs less than 30 s. */
const HEARTBEAT_SECONDS = 5;
const CONNECT_TIMEOUT_MS = 10_000;
/** However often a connection of direct replies is lost, it is there again in a moment: their senders do not wait. */
const DIRECT_PAUSES = { first: 10, longest: 100 };

/** How a worker connects to its broker; a metric says for each connection whether it is up. */
export function createConnect(
  brokers: Pick<SupervisorOptions, 'urls' | 'tls'>,
  metrics: ConnectionMetrics,
  log: Logger,
): (name: string, more?: Partial<SupervisorOptions>) => SupervisedConnection {
  return (name, more = {}) => {
    const metric = metrics.of(name);
    return superviseConnection({
      ...brokers,
      name: `cdr-ingest ${name}`,
      heartbeatSeconds: HEARTBEAT_SECONDS,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      random: Math.random,
      log,
      onUp: metric.up,
      onDown: (_, loss) => metric.down(loss),
      ...more,
    });
  };
}

/** The connections of replies; those of direct ones are opened when they are needed. */
export function openReplyConnections(
  connect: ReturnType<typeof createConnect>,
  log: Logger,
): ReplyConnections {
  const direct = (name: string, more: Partial<SupervisorOptions> = {}) =>
    connect(name, { pauses: DIRECT_PAUSES, ...more });
  return {
    results: connect('results'),
    queues: connect('reply'),
    direct: {
      proven: () => direct('direct reply'),
      likely: () => direct('new direct reply'),
      // A hostile producer may make it come and go several times a second.
      unknown: () => direct('unknown direct reply', { log: quietLog(log) }),
    },
  };
}
