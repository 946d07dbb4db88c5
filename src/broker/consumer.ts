import { createBackoff } from './backoff.ts';
import type { BrokerConnection } from './connect.ts';
import {
  type ConsumerChannel,
  explainRefusal,
  giveUpWhenOverdue,
  openConsumerChannel,
} from './consumer-channel.ts';
import type { Consumer, ConsumerOptions, ConsumerState } from './consumer-types.ts';
import { createProblemLog } from './log.ts';
import type { SupervisedConnection } from './supervisor.ts';

export { IN_HAND_BYTES } from './consumer-channel.ts';
export type { Consumer, ConsumerOptions, ConsumerState } from './consumer-types.ts';
export type { Deaths, Delivery } from './delivery.ts';

/**
 * Consumes one queue over whatever connection the supervisor has, on a channel of its own, and subscribes again
 * after anything that ends the subscription. The one place that acknowledges. None of its promises rejects, and
 * each is done when the broker has answered or the channel or connection was given up.
 */
export function createConsumer(supervised: SupervisedConnection, options: ConsumerOptions): Consumer {
  const { queue } = options;
  const problems = createProblemLog(supervised.log);
  const backoff = createBackoff(supervised.random);
  let goal: 'consume' | 'pause' | 'return' | 'close' = 'consume';
  let connection: BrokerConnection | null = null;
  let channel: ConsumerChannel | null = null;
  let epoch = 0;
  let working: Promise<void> | null = null;
  let workAgain = false;
  let retry: NodeJS.Timeout | undefined;
  let shown: ConsumerState = 'disconnected';

  function state(): ConsumerState {
    if (goal === 'close') return 'closed';
    if (connection === null) return 'disconnected';
    if (goal !== 'consume') return 'paused';
    return channel?.subscribed ? 'consuming' : 'subscribing';
  }

  function show(): void {
    const now = state();
    if (now === shown) return;
    shown = now;
    if (now === 'consuming') problems.over();
    options.onState?.(now);
  }

  function retryAfter(problem: string): void {
    const retryInMs = backoff.next();
    problems.say({ queue, retryInMs }, problem);
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
        // What is in hand may have gone back to the queue already, and the broker answers an acknowledgement
        // of such a message with an error: begin again on a clean channel.
        if (channel?.epoch !== mine) return;
        channel.close().catch((error) => giveUpWhenOverdue(on, error));
        channel = null;
        options.onLost?.('cancelled');
        if (goal === 'consume') retryAfter(`the broker ended the consumer of queue "${queue}"`);
        show();
      },
      onGone(reason, isOurs) {
        if (channel?.epoch !== mine) return;
        channel = null;
        show();
        // A step that is under way sees it for itself.
        if (working !== null) return;
        // A lost connection takes its channels first. There is nothing to retry then: the next one calls.
        setImmediate(() => {
          if (goal !== 'consume' || connection !== on) return;
          options.onLost?.(isOurs ? 'decoding' : 'channel');
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
        if (!mine.subscribed) await mine.subscribe();
        if (channel !== mine) throw new Error('the channel was lost');
        backoff.succeeded();
      } else if (goal === 'pause') {
        await channel?.unsubscribe();
      } else {
        await channel?.close();
        channel = null;
      }
    } catch (error) {
      giveUpWhenOverdue(on, error);
      channel = null;
      if (goal === 'consume' && connection === on) retryAfter(explainRefusal(error, queue, on.broker));
    }
    show();
  }

  async function workThrough(): Promise<void> {
    while (workAgain) {
      workAgain = false;
      if (connection !== null) await step(connection);
    }
    working = null;
  }

  /** Works towards the goal until it is reached or fails; one at a time, since calls on a channel are ordered. */
  function work(): Promise<void> {
    workAgain = true;
    working ??= Promise.resolve().then(workThrough);
    return working;
  }

  function pursue(next: typeof goal): Promise<void> {
    if (goal !== 'close') goal = next;
    clearTimeout(retry);
    show();
    return work();
  }

  const leave = supervised.attach({
    onUp(fresh) {
      connection = fresh;
      show();
      void work();
    },
    onDown() {
      if (goal !== 'close') options.onLost?.(connection?.reading.undecodable ? 'decoding' : 'connection');
      connection = null;
      channel = null;
      clearTimeout(retry);
      show();
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
    isLive: (delivery) => channel?.epoch === delivery.epoch,
    ack(delivery) {
      if (channel?.epoch === delivery.epoch) channel.ack(delivery.tag);
    },
    flushAcks: () => channel?.flush(),
    setAside(delivery) {
      if (channel?.epoch === delivery.epoch) channel.refuse(delivery.tag);
    },
    returnAll: () => pursue('return'),
    resume: () => void pursue('consume'),
    stopConsuming: () => pursue('pause'),
    async close() {
      await pursue('close');
      leave();
    },
  };
}
