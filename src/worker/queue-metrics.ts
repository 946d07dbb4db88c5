import type { Registry } from 'prom-client';
import { type LossCause, lossCauses } from '../broker/consumer.ts';
import { MessageHistogram } from './message-histogram.ts';
import { metricsIn, PROCESSING_SECONDS } from './registry.ts';

/** What a metric needs to know about an acknowledged delivery. */
interface Acknowledged {
  /** Monotonic milliseconds. */
  receivedTick: number;
  /** Milliseconds since 1970, if the sender said when. */
  sentAt: number | null;
}

/** What is asked about a queue at each scrape. */
export interface QueueState {
  isConsuming: () => boolean;
  /** Deliveries not yet acknowledged. */
  inFlight: () => number;
  /** Bytes of their bodies that are kept. */
  inFlightBytes: () => number;
  /** When the oldest of them came, in monotonic milliseconds; null without any. */
  oldestSince: () => number | null;
}

const AGES = [1, 2, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400];
const MESSAGING_LABELS = ['messaging_system', 'messaging_destination_name', 'messaging_operation_name'];

/** What is asked about a queue whose consumer is not there yet: its worker waits for the database. */
const NOT_YET: QueueState = {
  isConsuming: () => false,
  inFlight: () => 0,
  inFlightBytes: () => 0,
  oldestSince: () => null,
};

/**
 * The metrics of each queue. Those of these queues are there from the start, so that a worker that waits is seen not to consume.
 */
export function createQueueMetrics(registry: Registry, names: readonly string[]) {
  const states = new Map(names.map((name) => [name, NOT_YET]));
  gaugesOfState(registry, states);
  const open = metricsByQueue(registry);
  const all = new Map(names.map((name) => [name, open(name)]));
  return {
    names,
    of(queue: string): OfQueue {
      const found = all.get(queue);
      if (found === undefined)
        throw new Error(`expected one of the queues ${names.join(', ')}, got ${queue}`);
      return found;
    },
    /** Where to ask about a queue from now on. */
    ask: (queue: string, state: QueueState) => states.set(queue, state),
  };
}

export type OfQueue = ReturnType<ReturnType<typeof metricsByQueue>>;

/** What is asked at each scrape. */
function gaugesOfState(registry: Registry, states: ReadonlyMap<string, QueueState>): void {
  const { gauge } = metricsIn(registry);
  const sum = (one: (state: QueueState) => number) =>
    [...states.values()].reduce((total, state) => total + one(state), 0);
  gauge('cdr_ingest_in_flight_messages', 'Deliveries not yet acknowledged.', [], (self) => {
    self.set(sum(({ inFlight }) => inFlight()));
  });
  gauge('cdr_ingest_in_flight_bytes', 'Bytes of their bodies that are kept.', [], (self) => {
    self.set(sum(({ inFlightBytes }) => inFlightBytes()));
  });
  gauge(
    'cdr_ingest_oldest_unsettled_seconds',
    'Time since the oldest of them was delivered; 0 without any.',
    [],
    (self) => {
      const since = [...states.values()].flatMap(({ oldestSince }) => oldestSince() ?? []);
      self.set(since.length === 0 ? 0 : (performance.now() - Math.min(...since)) / 1000);
    },
  );
  gauge('cdr_ingest_consuming', '1 while messages of a queue are consumed.', ['queue'], (self) => {
    for (const [queue, { isConsuming }] of states) self.set({ queue }, isConsuming() ? 1 : 0);
  });
}

/** What is told. */
function metricsByQueue(registry: Registry) {
  const { counter, gauge } = metricsIn(registry);
  const depth = gauge(
    'cdr_ingest_queue_messages',
    'Messages of a queue that wait to be delivered to any worker; absent while the broker does not tell.',
    ['queue'],
  );
  const paused = gauge(
    'cdr_ingest_paused',
    '1 while an outage keeps the worker from persisting the messages of a queue.',
    ['queue'],
  );
  const waiting = gauge(
    'cdr_ingest_waiting_messages',
    'Messages in hand whose customer, invoice or dead letter is held.',
    ['queue'],
  );
  const losses = counter(
    'cdr_ingest_consumer_losses_total',
    'Subscriptions lost, by cause; decoding: because of what arrived on them.',
    ['queue', 'cause'],
  );
  const unreadable = counter(
    'cdr_ingest_unreadable_messages_total',
    'Messages whose headers or properties could not be read.',
    ['queue'],
  );
  const age = new MessageHistogram(
    registry,
    'cdr_ingest_message_age_seconds',
    'Time from the timestamp that the sender gave the message to its acknowledgement, in whole seconds.',
    AGES,
  ).labels({});
  // Named by OpenTelemetry's conventions for messaging; what they have no name for begins with cdr_ingest.
  const processDuration = new MessageHistogram(
    registry,
    'messaging_process_duration_seconds',
    'Time from a delivery to its acknowledgement.',
    PROCESSING_SECONDS,
  );
  const consumed = counter(
    'messaging_client_consumed_messages_total',
    'Messages delivered, answered and acknowledged.',
    MESSAGING_LABELS,
  );

  return (queue: string) => {
    const labels = { messaging_system: 'rabbitmq', messaging_destination_name: queue };
    const duration = processDuration.labels({ ...labels, messaging_operation_name: 'process' });
    const acknowledged = consumed.labels({ ...labels, messaging_operation_name: 'ack' });
    const unreadableHere = unreadable.labels({ queue });
    acknowledged.inc(0);
    unreadableHere.inc(0);
    for (const cause of lossCauses) losses.inc({ queue, cause }, 0);
    paused.set({ queue }, 0);
    waiting.set({ queue }, 0);
    return {
      /** @param ready null where it is not known */
      depth: (ready: number | null) => {
        if (ready === null) depth.remove({ queue });
        else depth.set({ queue }, ready);
      },
      paused: (isPaused: boolean) => paused.set({ queue }, isPaused ? 1 : 0),
      waiting: (count: number) => waiting.set({ queue }, count),
      lost: (cause: LossCause) => losses.inc({ queue, cause }),
      unreadable: () => unreadableHere.inc(),
      acknowledged: (deliveries: readonly Acknowledged[]) => {
        const tick = performance.now();
        const clock = Date.now();
        acknowledged.inc(deliveries.length);
        for (const { receivedTick, sentAt } of deliveries) {
          duration.observe((tick - receivedTick) / 1000);
          // A sender whose clock is ahead has sent it now.
          if (sentAt !== null) age.observe(Math.max(0, clock - sentAt) / 1000);
        }
      },
    };
  };
}
