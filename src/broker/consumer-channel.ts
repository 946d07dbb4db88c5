import type { Channel, ConsumeMessage } from 'amqplib';
import { DeadlineError, sleep, within } from '../retry.ts';
import { type AckLedger, createAckLedger, GATHER_MS } from './ack-ledger.ts';
import { takeUnsorted } from './amqplib.ts';
import type { BrokerConnection } from './connect.ts';
import { assembleUsual } from './decoding/usual-messages.ts';
import { type Delivery, toDelivery } from './delivery.ts';
import { FollowedMessages } from './followed-messages.ts';
import { describeError } from './log.ts';

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

/** Opens a channel with its prefetch; call `subscribe` to begin. @throws when the connection does not answer. */
export async function openConsumerChannel(options: ConsumerChannelOptions): Promise<ConsumerChannel> {
  options.connection.reading.keepBytes = options.keepBytes;
  const channel = new ConsumerChannel(await options.connection.openChannel(), options);
  await channel.setPrefetch();
  return channel;
}

/** The channel of one consumer, from opening to its end. The next one has a higher epoch. */
export class ConsumerChannel {
  readonly epoch: number;
  readonly ledger: AckLedger;
  readonly #channel: Channel;
  readonly #options: ConsumerChannelOptions;
  readonly #inFlightBytesMax: number;
  readonly #followed = new FollowedMessages();
  #isFollowed = false;
  #consumerTag: string | null = null;
  #lastAckAt = Number.NEGATIVE_INFINITY;
  #laterFlush: NodeJS.Timeout | undefined;
  #failure = 'the channel was closed';
  #isOurs = false;

  constructor(channel: Channel, options: ConsumerChannelOptions) {
    this.epoch = options.epoch;
    this.ledger = createAckLedger(options.prefetch / 2);
    this.#channel = channel;
    this.#options = options;
    this.#inFlightBytesMax = options.inFlightBytesMax ?? IN_FLIGHT_BYTES_MAX;
    this.#listen();
  }

  /** Whether the broker sends deliveries. */
  get subscribed(): boolean {
    return this.#consumerTag !== null;
  }

  async setPrefetch(): Promise<void> {
    await this.#answer(this.#channel.prefetch(this.#options.prefetch), 'basic.qos');
  }

  /** @throws the broker's error (with its `code`), or DeadlineError. */
  async subscribe(): Promise<void> {
    const asked = this.#channel.consume(this.#options.queue, this.#take);
    this.#consumerTag = (await this.#answer(asked, 'basic.consume')).consumerTag;
  }

  /** Ends the subscription; what is in flight stays so. @throws DeadlineError, or when the channel is gone. */
  async unsubscribe(): Promise<void> {
    if (this.#consumerTag === null) return;
    await this.#answer(this.#channel.cancel(this.#consumerTag), 'basic.cancel');
    this.#consumerTag = null;
  }

  /** Nothing more needs to happen for this delivery. The next `flush` acknowledges it. */
  done(tag: number): void {
    this.ledger.done(tag);
    this.#resumeReading();
  }

  /**
   * Sends the acknowledgements that are due.
   *
   * @param everything also those that would otherwise wait
   */
  flush(everything = false): void {
    for (const { tag, multiple } of this.ledger.flush(everything)) {
      this.#lastAckAt = performance.now();
      if (!isSent(() => this.#channel.ack(this.#followed.take(tag, multiple), multiple))) return;
    }
    // What waits must not depend on another batch: slow deliveries may fill the whole window. Timers may be a millisecond early.
    if (this.ledger.waiting > 0) this.#laterFlush ??= setTimeout(() => this.#flushLater(), GATHER_MS + 1);
    else this.#stopWaiting();
  }

  #flushLater(): void {
    this.#stopWaiting();
    this.flush();
  }

  #stopWaiting(): void {
    clearTimeout(this.#laterFlush);
    this.#laterFlush = undefined;
  }

  /** Rejects a delivery without requeueing it: the broker dead-letters it. */
  reject(tag: number): void {
    if (this.ledger.remove(tag)) isSent(() => this.#channel.reject(this.#followed.take(tag, false), false));
    this.#resumeReading();
  }

  /** Sends all acknowledgements and closes; the broker redelivers the rest. @throws DeadlineError. */
  async close(): Promise<void> {
    await this.unsubscribe();
    this.flush(true);
    const waitMs = this.#lastAckAt + ACKS_WRITTEN_MS - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    // An acknowledgement has no answer. The answer to a later call on the same channel shows that the broker has
    // read it. Without that it could be lost, and an acknowledged message would come again.
    await this.setPrefetch();
    this.#failure = 'closed by this side';
    await this.#answer(this.#channel.close(), 'channel.close');
  }

  #listen(): void {
    const channel = this.#channel;
    assembleUsual(channel);
    takeUnsorted(channel, (take) => {
      this.#isFollowed = take !== this.#take;
    });
    channel.on('cancel', () => {
      this.#consumerTag = null;
      this.#options.onCancelled();
    });
    // Without a listener an error of the channel would end the whole connection.
    channel.on('error', (error) => {
      this.#failure = describeError(error);
      this.#isOurs =
        'code' in error && OWN_CODES.has(error.code) && !this.#failure.includes('closed by server');
    });
    channel.on('close', () => {
      this.#stopWaiting();
      this.#consumerTag = null;
      this.#options.connection.reading.resume();
      this.#options.onGone(this.#failure, this.#isOurs);
    });
  }

  readonly #take = (message: ConsumeMessage | null): void => {
    // amqplib's word for a cancellation, which has a listener here.
    if (message === null) return;
    const delivery = toDelivery(message, this.epoch);
    this.ledger.delivered(delivery.tag, delivery.body.length);
    if (this.ledger.inFlightBytes > this.#inFlightBytesMax) this.#options.connection.reading.pause();
    this.#options.onDelivery(
      this.#isFollowed ? { ...delivery, inContext: this.#followed.add(message) } : delivery,
    );
  };

  #resumeReading(): void {
    if (this.ledger.inFlightBytes <= this.#inFlightBytesMax) this.#options.connection.reading.resume();
  }

  /** Waits for the broker's answer, and reads until it comes even while paused. */
  #answer<T>(work: Promise<T>, method: string): Promise<T> {
    const { reading, rpcTimeoutMs } = this.#options.connection;
    return within(reading.answer(work), rpcTimeoutMs, `the answer to ${method}`);
  }
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
