import { collectDefaultMetrics, Registry } from 'prom-client';
import { defaultNames } from '../broker/topology.ts';
import { createBilledMetrics } from './billed-events.ts';
import { createConnectionMetrics } from './connection-metrics.ts';
import { createHeardMetrics } from './heard-metrics.ts';
import { createInfoMetrics } from './info-metrics.ts';
import { createLogMetrics } from './log-metrics.ts';
import { countEvent, createMessageMetrics } from './message-metrics.ts';
import { createDeadLetterMetrics } from './open-dead-letters.ts';
import type { PipelineEvent } from './pipeline-events.ts';
import { createPoolMetrics } from './pool-metrics.ts';
import { createQueueMetrics, type OfQueue, type QueueState } from './queue-metrics.ts';
import { createReplyMetrics } from './reply-events.ts';
import { createStatementMetrics } from './statement-reports.ts';
import { createUninvoicedMetrics } from './uninvoiced-metrics.ts';

/** What `/metrics` shows. No label names a uniqueid or a customer: their number has no bound. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const messages = createMessageMetrics(registry);
  const queues = createQueueMetrics(registry, [defaultNames.queue, defaultNames.deadQueue]);
  return {
    registry,
    queues,
    /** What to tell about one queue, whose consumer is there from now on. */
    of(queue: string, state: QueueState): QueueMetrics {
      const ofQueue = queues.of(queue);
      queues.ask(queue, state);
      return {
        ...ofQueue,
        setAside: () => messages.setAside.inc(),
        observe: (event) => {
          if (event.kind === 'waiting') ofQueue.waiting(event.messages);
          else countEvent(event, messages);
        },
      };
    },
    connections: createConnectionMetrics(registry),
    pool: createPoolMetrics(registry),
    replies: createReplyMetrics(registry),
    billed: createBilledMetrics(registry),
    statements: createStatementMetrics(registry),
    deadLetters: createDeadLetterMetrics(registry),
    uninvoiced: createUninvoicedMetrics(registry),
    heard: createHeardMetrics(registry),
    info: createInfoMetrics(registry),
    log: createLogMetrics(registry),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

export interface QueueMetrics extends OfQueue {
  setAside: () => void;
  observe: (event: PipelineEvent) => void;
}
