import type { ConsumeMessage, Message } from 'amqplib';
import { DeadlineError, within } from '../retry.ts';
import { type AckLedger, createAckLedger, PATIENCE_MS } from './ack-ledger.ts';
import type { BrokerConnection } from './connect.ts';

import { type Delivery, toDelivery } from './delivery.ts';
import { describeError } from './log.ts';

/** The channel of one consumer, from opening to its end. The next one has a higher epoch. */
export interface ConsumerChannel {
  readonly epoch: number;
  readonly ledger: AckLedger;
  /** Whether the broker sends deliveries. */
  readonly subscribed: boolean;
  /** @throws the broker's error (with its `code`), or DeadlineError. */
  subscribe(): Promise<void>;
  /**
   * Ends the subscription; what is in flight stays in flight. @throws DeadlineError, or when the channel is
   * gone.
   */
  unsubscribe(): Promise<void>;
  /** Nothing more needs to happen for this delivery. */
  ack(tag: number): void;
  /** Sends the acknowledgements that are due. */
  flush(): void;
  /** Rejects a delivery without requeueing it: the broker dead-letters it. */
  reject(tag: number): void;
  /** Sends all acknowledgements and closes; the broker redelivers the rest. @throws DeadlineError. */
  close(): Promise<void>;
}

export interface ConsumerChannelOptions {
  connection: BrokerConnection;
  epoch: number;
  queue: string;
  prefetch: number;
  keepBytes: number;
  inFlightBytesMax?: number;
  onDelivery(delivery: Delivery): void;
  /** The broker cancelled the consumer (its queue was deleted); the channel is still open. */
  onCancelled(): void;
  /**
   * The channel is gone. Called once. `isOurs`: this side closed it over something that it could not decode.
   */
  onGone(reason: string, isOurs: boolean): void;
}

/**
 * Bytes of bodies in flight at which a consumer stops reading. A CDR has a few hundred bytes, so a full
 * prefetch of ordinary ones stays below 2 MiB. While it is processed, a body takes several times its size
 * (docs/operations.md, "Memory").
 */
export const IN_FLIGHT_BYTES_MAX = 8_388_608;
/**
 * amqplib closes a channel with these itself: for an unexpected frame, and for an exception in a listener.
 */
const OWN_CODES: ReadonlySet<unknown> = new Set([505, 541]);

/**
 * A channel of the broker has at most 32 commands on their way into the log of a quorum queue. It holds back
 * further acknowledgements, to send them as one when the first are written, and forgets them if it is closed
 * before: messages that were acknowledged would come again. No answer tells when they are written, so closing
 * waits this long after the last.
 */
const ACKS_WRITTEN_MS = 250;

/**
 * Opens a channel with its prefetch; call `subscribe` to begin. @throws when the connection does not answer.
 */
export async function openConsumerChannel(options: ConsumerChannelOptions): Promise<ConsumerChannel> {
  const { connection, epoch, queue, inFlightBytesMax = IN_FLIGHT_BYTES_MAX } = options;
  const { reading } = connection;
  reading.keepBytes = options.keepBytes;
  const ledger = createAckLedger(options.prefetch / 2);
  const channel = await connection.openChannel();
  const rpc = <T>(work: Promise<T>, what: string) =>
    within(reading.answer(work), connection.rpcTimeoutMs, `the answer to ${what}`);
  let consumerTag: string | null = null;
  let lastAckAt = Number.NEGATIVE_INFINITY;
  let laterFlush: NodeJS.Timeout | undefined;
  let failure = 'the channel was closed';
  let isOurs = false;

  // amqplib sorts deliveries by consumer tag, and closes the channel over one that comes after the answer to
  // basic.cancel, which a quorum queue can send. This channel has one consumer, so take every delivery.
  channel.removeAllListeners('delivery');
  channel.removeAllListeners('cancel');
  channel.on('delivery', (message: ConsumeMessage) => {
    const delivery = toDelivery(message, epoch);
    ledger.delivered(delivery.tag, delivery.body.length);
    if (ledger.inFlightBytes > inFlightBytesMax) reading.pause();
    options.onDelivery(delivery);
  });
  channel.on('cancel', () => {
    consumerTag = null;
    options.onCancelled();
  });
  // Without a listener an error of the channel would end the whole connection.
  channel.on('error', (error) => {
    failure = describeError(error);
    isOurs = 'code' in error && OWN_CODES.has(error.code) && !failure.includes('closed by server');
  });
  channel.on('close', () => {
    clearTimeout(laterFlush);
    consumerTag = null;
    reading.resume();
    options.onGone(failure, isOurs);
  });
  await rpc(channel.prefetch(options.prefetch), 'basic.qos');

  function flush(everything: boolean): void {
    for (const { tag, multiple } of ledger.due(everything)) {
      lastAckAt = performance.now();
      if (!isSent(() => channel.ack(messageOf(tag), multiple))) return;
    }
    // What is withheld must not depend on another batch: slow deliveries may fill the whole window.
    if (ledger.withheld > 0) laterFlush ??= setTimeout(flushLater, PATIENCE_MS);
  }

  function flushLater(): void {
    laterFlush = undefined;
    flush(false);
  }

  function resumeReading(): void {
    if (ledger.inFlightBytes <= inFlightBytesMax) reading.resume();
  }

  async function unsubscribe(): Promise<void> {
    if (consumerTag === null) return;
    await rpc(channel.cancel(consumerTag), 'basic.cancel');
    consumerTag = null;
  }

  return {
    epoch,
    ledger,
    get subscribed() {
      return consumerTag !== null;
    },
    async subscribe() {
      const ok = await rpc(
        channel.consume(queue, () => {}),
        'basic.consume',
      );
      consumerTag = ok.consumerTag;
    },
    unsubscribe,
    ack(tag) {
      ledger.done(tag);
      resumeReading();
    },
    flush: () => flush(false),
    reject(tag) {
      if (ledger.remove(tag)) isSent(() => channel.reject(messageOf(tag), false));
      resumeReading();
    },
    async close() {
      await unsubscribe();
      flush(true);
      const waitMs = lastAckAt + ACKS_WRITTEN_MS - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      // An acknowledgement has no answer. The answer to a later call on the same channel shows that the
      // broker has read it. Without that it could be lost, and an acknowledged message would come again.
      await rpc(channel.prefetch(options.prefetch), 'basic.qos');
      failure = 'closed by this side';
      await rpc(channel.close(), 'channel.close');
    },
  };
}

/** amqplib takes a message to acknowledge or reject, and reads only its delivery tag. */
function messageOf(deliveryTag: number): Message {
  return { fields: { deliveryTag } } as Message;
}

/** False when the channel is gone. Nothing to do then: the broker redelivers its messages. */
function isSent(send: () => void): boolean {
  try {
    send();
    return true;
  } catch {
    return false;
  }
}

/** Why a queue cannot be consumed, and what to do about it. */
export function explainRefusal(error: unknown, queue: string, broker: string): string {
  const text = describeError(error);
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 404) return `queue "${queue}" does not exist on ${broker}: declare it (command "topology")`;
  if (code === 403) return `this user may not read queue "${queue}" on ${broker}: ${text}`;
  return `cannot consume queue "${queue}" on ${broker}: ${text}`;
}

/** An overdue answer leaves the channel in an unknown state; only a new connection is certain. */
export function abandonWhenOverdue(connection: BrokerConnection, error: unknown): void {
  if (error instanceof DeadlineError) connection.abandon(describeError(error));
}
