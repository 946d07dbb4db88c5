import type { ConsumeMessage, Message } from 'amqplib';
import { type AckLedger, createAckLedger, PATIENCE_MS } from './ack-ledger.ts';
import type { BrokerConnection } from './connect.ts';
import { DeadlineError, within } from './deadline.ts';
import { type Delivery, toDelivery } from './delivery.ts';
import { describeError } from './log.ts';

/** The channel of one consumer, from opening to its end; a fresh one follows with a new epoch. */
export interface ConsumerChannel {
  readonly epoch: number;
  readonly ledger: AckLedger;
  /** Whether the broker sends deliveries. */
  readonly subscribed: boolean;
  /** @throws what the broker answers (its `code`), or DeadlineError. */
  subscribe(): Promise<void>;
  /** Asks the broker to send no more; what is in hand stays in hand. @throws DeadlineError, or when it is gone. */
  unsubscribe(): Promise<void>;
  /** Nothing more needs to happen for a delivery. */
  ack(tag: number): void;
  /** Sends the acknowledgements that are due. */
  flush(): void;
  /** Refuses a delivery in hand: the broker moves it to the queue of what it gives up on. */
  refuse(tag: number): void;
  /** Closes in good order, acknowledgements first; the broker redelivers the rest. @throws DeadlineError. */
  close(): Promise<void>;
}

export interface ConsumerChannelOptions {
  connection: BrokerConnection;
  epoch: number;
  queue: string;
  prefetch: number;
  keepBytes: number;
  inHandBytes?: number;
  onDelivery(delivery: Delivery): void;
  /** The broker ended the subscription (a deleted queue) and the channel is still open. */
  onCancelled(): void;
  /** The channel is gone. Called once. `isOurs`: this side could not make sense of what came on it. */
  onGone(reason: string, isOurs: boolean): void;
}

const NO_BYTES = Buffer.alloc(0);

/**
 * Bytes of bodies in hand at which a consumer stops reading. A CDR has some hundred, so that a full prefetch of them is
 * below 2 MiB; a body in hand, read and being settled takes several times its bytes (docs/operations.md, "Memory").
 */
export const IN_HAND_BYTES = 8_388_608;
/** With which amqplib closes a channel by itself: a frame where none may be, and an error while it takes a message. */
const OWN_CODES: ReadonlySet<unknown> = new Set([505, 541]);

/**
 * A channel of the broker has at most 32 commands on their way into the log of a quorum queue. Acknowledgements
 * beyond that it keeps, to send them as one when the first are written, and forgets when it is closed before:
 * settled messages would come again. No answer tells when they are written, so the last gets this long.
 */
const ACK_SETTLE_MS = 250;

/** Opens a channel with its prefetch; call `subscribe` to begin. @throws when the connection does not answer. */
export async function openConsumerChannel(options: ConsumerChannelOptions): Promise<ConsumerChannel> {
  const { connection, epoch, queue, inHandBytes = IN_HAND_BYTES } = options;
  const { reading } = connection;
  reading.keepBytes = options.keepBytes;
  const ledger = createAckLedger(options.prefetch / 2);
  const channel = await connection.openChannel();
  const rpc = <T>(work: Promise<T>, what: string) =>
    within(reading.answer(work), connection.rpcTimeoutMs, `the answer to ${what}`);
  let consumerTag: string | null = null;
  let sample: Message | null = null;
  let acknowledgedAt = Number.NEGATIVE_INFINITY;
  let later: NodeJS.Timeout | undefined;
  let failure = 'the channel was closed';
  let isOurs = false;

  // amqplib sorts deliveries by consumer tag and closes the channel over one that comes after the answer to
  // basic.cancel, which a quorum queue can send. Every delivery here has one destination: take them all.
  channel.removeAllListeners('delivery');
  channel.removeAllListeners('cancel');
  channel.on('delivery', (message: ConsumeMessage) => {
    sample ??= { content: NO_BYTES, fields: message.fields, properties: message.properties };
    const delivery = toDelivery(message, epoch);
    ledger.delivered(delivery.tag, delivery.body.length);
    if (ledger.inFlightBytes > inHandBytes) reading.pause();
    options.onDelivery(delivery);
  });
  channel.on('cancel', () => {
    consumerTag = null;
    options.onCancelled();
  });
  // Without a listener an error of the channel would take the whole connection with it.
  channel.on('error', (error) => {
    failure = describeError(error);
    isOurs = 'code' in error && OWN_CODES.has(error.code) && !failure.includes('closed by server');
  });
  channel.on('close', () => {
    clearTimeout(later);
    consumerTag = null;
    reading.resume();
    options.onGone(failure, isOurs);
  });
  await rpc(channel.prefetch(options.prefetch), 'basic.qos');

  function flush(everything: boolean): void {
    const like = sample;
    if (like === null) return;
    for (const { tag, multiple } of ledger.due(everything)) {
      acknowledgedAt = performance.now();
      if (!sent(() => channel.ack(named(like, tag), multiple))) return;
    }
    // What waits for a slow one must not depend on another batch to come: they may fill the window.
    if (ledger.withheld > 0) later ??= setTimeout(flushLater, PATIENCE_MS);
  }

  function flushLater(): void {
    later = undefined;
    flush(false);
  }

  /** amqplib answers messages and reads nothing of them but the tag. */
  function named(like: Message, tag: number): Message {
    return { ...like, fields: { ...like.fields, deliveryTag: tag } };
  }

  function readOn(): void {
    if (ledger.inFlightBytes <= inHandBytes) reading.resume();
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
      ledger.ack(tag);
      readOn();
    },
    flush: () => flush(false),
    refuse(tag) {
      const like = sample;
      if (like !== null && ledger.takeOut(tag)) sent(() => channel.reject(named(like, tag), false));
      readOn();
    },
    async close() {
      await unsubscribe();
      flush(true);
      const settleMs = acknowledgedAt + ACK_SETTLE_MS - performance.now();
      if (settleMs > 0) await new Promise((resolve) => setTimeout(resolve, settleMs));
      // An acknowledgement has no answer. One to a later call on the same channel says that the broker has
      // read it; closing without could lose it on the way and have a settled message sent again.
      await rpc(channel.prefetch(options.prefetch), 'basic.qos');
      failure = 'closed by this side';
      await rpc(channel.close(), 'channel.close');
    },
  };
}

/** False when the channel is gone: the broker gives its messages out again, so there is nothing to do. */
function sent(answer: () => void): boolean {
  try {
    answer();
    return true;
  } catch {
    return false;
  }
}

/** Why a queue cannot be consumed, in words that say what to do. */
export function explainRefusal(error: unknown, queue: string, broker: string): string {
  const text = describeError(error);
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 404) return `queue "${queue}" does not exist on ${broker}: declare it (command "topology")`;
  if (code === 403) return `this user may not read queue "${queue}" on ${broker}: ${text}`;
  return `cannot consume queue "${queue}" on ${broker}: ${text}`;
}

/** Where an answer is overdue nobody knows what the channel is waiting for; only a new connection is sure. */
export function giveUpWhenOverdue(connection: BrokerConnection, error: unknown): void {
  if (error instanceof DeadlineError) connection.abandon(describeError(error));
}
