import { createBackoff } from './backoff.ts';
import type { BrokerConnection } from './connect.ts';
import {
  abandonWhenOverdue,
  type ConsumerChannel,
  explainRefusal,
  openConsumerChannel,
} from './consumer-channel.ts';
import type { Delivery } from './delivery.ts';
import { createProblemLog, describeError } from './log.ts';
import type { SupervisedConnection } from './supervisor.ts';

export { IN_FLIGHT_BYTES_MAX } from './consumer-channel.ts';
export type { Deaths, Delivery } from './delivery.ts';

export interface ConsumerOptions {
  queue: string;
  /** Most deliveries in flight at once. */
  prefetch: number;
  /** Of a longer body only this many bytes plus one are kept; `Delivery.bytes` tells the true length. */
  keepBytes: number;
  /**
   * With more bytes of bodies in flight nothing more is read, whatever the prefetch. Default:
   * IN_FLIGHT_BYTES_MAX.
   */
  inFlightBytesMax?: number;
  /** Called for every delivery, in order, as it arrives. Must not throw. */
  onDelivery(delivery: Delivery): void;
  /** Must not throw; if it does, that is only logged. */
  onState?(state: ConsumerState): void;
  /** A subscription was lost, not ended by this side. Must not throw; if it does, that is only logged. */
  onLost?(cause: LossCause): void;
}

/**
 * `decoding`: this side could not decode what came. `cancelled`: the broker ended it, as for a deleted queue.
 */
export const lossCauses = ['connection', 'channel', 'cancelled', 'decoding'] as const;
export type LossCause = (typeof lossCauses)[number];

export type ConsumerState = 'disconnected' | 'subscribing' | 'consuming' | 'paused' | 'closed';

/** A queue being consumed. Deliveries go to `ConsumerOptions.onDelivery`. */
export interface Consumer {
  readonly state: ConsumerState;
  readonly consuming: boolean;
  /** Unacknowledged deliveries of the current channel. */
  readonly inFlight: number;
  /** Bytes of their bodies. */
  readonly inFlightBytes: number;
  /** When the oldest of them came, in monotonic milliseconds; null without any. */
  readonly oldestSince: number | null;
  /** Whether the delivery can still be acknowledged; if not, the broker delivers the message again. */
  isLive(delivery: Delivery): boolean;
  /** Nothing more needs to happen for this delivery. Sends nothing: the next `flush` acknowledges it. */
  done(delivery: Delivery): void;
  /** Sends the acknowledgements that are due; call it once per batch. */
  flush(): void;
  /**
   * Dead-letters a delivery to `cdrs.dead`, to be processed there. Does not count towards its delivery limit.
   */
  setAside(delivery: Delivery): void;
  /**
   * Ends the subscription and keeps what is in flight (the broker waits 30 minutes for an ack): the first
   * half of a shutdown, or a pause until `resume`.
   */
  stopConsuming(): Promise<void>;
  /**
   * Returns everything in flight to the queue and pauses until `resume`. Each message comes one step nearer
   * to its delivery limit, so call it once per outage.
   */
  returnAll(): Promise<void>;
  /** Consumes again after `stopConsuming` or `returnAll`. */
  resume(): void;
  /** Sends all acknowledgements, makes sure that the broker has read them, and closes for good. */
  close(): Promise<void>;
}

/**
 * Consumes one queue on a channel of its own, and subscribes again after whatever ends the subscription. The only
 * place that acknowledges. No promise rejects; each resolves when the broker has answered, or when the channel or
 * the connection is gone.
 *
 * The caller sets a goal: to consume, to pause, to return everything or to close. `work` takes steps towards it. It
 * runs when the goal changes, when a connection comes up, and again after a pause when a step has failed.
 */
export function createConsumer(supervised: SupervisedConnection, options: ConsumerOptions): Consumer {
  const { queue } = options;
  const problems = createProblemLog(supervised.log);
  const backoff = createBackoff(supervised.random);
  let goal: 'consume' | 'pause' | 'return' | 'close' = 'consume';
  let connection: BrokerConnection | null = null;
  let channel: ConsumerChannel | null = null;
  /** Until this side ends the subscription, or its loss is reported: the channel may be gone before that. */
  let isSubscribed = false;
  let epoch = 0;
  let working: Promise<void> | null = null;
  let workAgain = false;
  let retry: NodeJS.Timeout | undefined;
  let reported: ConsumerState = 'disconnected';

  function state(): ConsumerState {
    if (goal === 'close') return 'closed';
    if (connection === null) return 'disconnected';
    if (goal !== 'consume') return 'paused';
    return channel?.subscribed ? 'consuming' : 'subscribing';
  }

  function reportState(): void {
    const now = state();
    if (now === reported) return;
    reported = now;
    if (now === 'consuming') problems.over();
    tell('state', () => options.onState?.(now));
  }

  function reportLoss(cause: LossCause): void {
    isSubscribed = false;
    tell('loss', () => options.onLost?.(cause));
  }

  /** An exception of a listener would end a step halfway, or the supervisor. */
  function tell(what: string, listener: () => void): void {
    try {
      listener();
    } catch (error) {
      supervised.log.error({ queue }, `a listener threw when told of a ${what}: ${describeError(error)}`);
    }
  }

  function retryAfter(problem: string): void {
    const retryInMs = backoff.next();
    problems.report({ queue, retryInMs }, problem);
    clearTimeout(retry);
    retry = setTimeout(work, retryInMs);
  }

  async function openChannel(on: BrokerConnection): Promise<ConsumerChannel> {
    const mine = ++epoch;
    return openConsumerChannel({
      ...options,
      connection: on,
      epoch: mine,
      onCancelled() {
        // What is in flight may be back in the queue already, and the broker answers an acknowledgement of
        // such a message with an error. Start again on a clean channel.
        if (channel?.epoch !== mine) return;
        channel.close().catch((error) => abandonWhenOverdue(on, error));
        channel = null;
        reportLoss('cancelled');
        if (goal === 'consume') retryAfter(`the broker cancelled the consumer of queue "${queue}"`);
        reportState();
      },
      onGone(reason, isOurs) {
        if (channel?.epoch !== mine) return;
        channel = null;
        reportState();
        // A step in progress notices by itself.
        if (working !== null) return;
        // A lost connection closes its channels first. Then there is nothing to retry here: onUp starts
        // again.
        setImmediate(() => {
          if (goal !== 'consume' || connection !== on) return;
          if (isSubscribed) reportLoss(isOurs ? 'decoding' : 'channel');
          retryAfter(`channel of queue "${queue}" lost: ${reason}`);
        });
      },
    });
  }

  /** One step towards the goal. */
  async function step(on: BrokerConnection): Promise<void> {
    try {
      if (goal === 'consume') {
        channel ??= await openChannel(on);
        const mine = channel;
        if (!mine.subscribed) {
          isSubscribed = false;
          await mine.subscribe();
          isSubscribed = true;
        }
        if (channel !== mine) throw new Error('the channel was lost');
        backoff.succeeded();
      } else if (goal === 'pause') {
        await channel?.unsubscribe();
        isSubscribed = false;
      } else {
        await channel?.close();
        channel = null;
        isSubscribed = false;
      }
    } catch (error) {
      abandonWhenOverdue(on, error);
      channel = null;
      if (goal === 'consume' && connection === on) retryAfter(explainRefusal(error, queue, on.broker));
    }
    reportState();
  }

  async function workThrough(): Promise<void> {
    try {
      while (workAgain) {
        workAgain = false;
        if (connection !== null) await step(connection);
      }
    } finally {
      working = null;
    }
  }

  /**
   * Works towards the goal until it is reached or a step fails. One at a time: calls on a channel are
   * ordered.
   */
  function work(): Promise<void> {
    workAgain = true;
    working ??= Promise.resolve().then(workThrough);
    return working;
  }

  function pursue(next: typeof goal): Promise<void> {
    if (goal !== 'close') goal = next;
    clearTimeout(retry);
    reportState();
    return work();
  }

  const detach = supervised.attach({
    onUp(fresh) {
      connection = fresh;
      reportState();
      void work();
    },
    onDown() {
      if (isSubscribed && goal !== 'close')
        reportLoss(connection?.reading.undecodable ? 'decoding' : 'connection');
      isSubscribed = false;
      connection = null;
      channel = null;
      clearTimeout(retry);
      reportState();
    },
  });

  return {
    get state() {
      return state();
    },
    get consuming() {
      return state() === 'consuming';
    },
    get inFlight() {
      return channel?.ledger.inFlight ?? 0;
    },
    get inFlightBytes() {
      return channel?.ledger.inFlightBytes ?? 0;
    },
    get oldestSince() {
      return channel?.ledger.oldestSince ?? null;
    },
    isLive: (delivery) => channel?.epoch === delivery.epoch,
    done(delivery) {
      if (channel?.epoch === delivery.epoch) channel.done(delivery.tag);
    },
    flush: () => channel?.flush(),
    setAside(delivery) {
      if (channel?.epoch === delivery.epoch) channel.reject(delivery.tag);
    },
    returnAll: () => pursue('return'),
    resume: () => void pursue('consume'),
    stopConsuming: () => pursue('pause'),
    async close() {
      await pursue('close');
      detach();
    },
  };
}
