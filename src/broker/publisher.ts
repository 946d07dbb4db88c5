import { type ConfirmChannel, IllegalOperationError, type Options } from 'amqplib';
import { publishInBlocks } from './amqplib.ts';
import {
  ConfirmWindow,
  failed,
  type OutgoingMessage,
  PublishBatch,
  type PublishResult,
} from './confirm-window.ts';
import type { BrokerConnection } from './connect.ts';
import { reusedOptions } from './encoding/reused-options.ts';
import type { InContext } from './followed-messages.ts';
import { describeError } from './log.ts';
import type { SupervisedConnection } from './supervisor.ts';

export type { OutgoingMessage, OutgoingProperties, PublishFailure, PublishResult } from './confirm-window.ts';

export interface PublisherOptions {
  /** From the call to the confirm, time in this queue included. */
  timeoutMs: number;
  /** Most messages sent and not confirmed; the rest waits here. */
  maxInFlight: number;
}

/** Publishes messages and tells for each whether the broker has confirmed it. */
export interface Publisher {
  /** Connected and not blocked by an alarm. */
  readonly ready: boolean;
  /** Messages sent and not confirmed, those that timed out included. */
  readonly inFlight: number;
  publish(message: OutgoingMessage): Promise<PublishResult>;
  /** Results in the order of the messages. Cheaper than one by one: one promise and one deadline for all. */
  publishBatch(messages: readonly OutgoingMessage[]): Promise<PublishResult[]>;
  /** Fails what is not confirmed and sends no more. The connection stays open: its owner stops it. */
  close(): void;
}

/** The channel of the current connection. */
interface PublishChannel {
  connection: BrokerConnection;
  channel: ConfirmChannel;
  window: ConfirmWindow;
  /** When the last confirm came, or the first message was sent after everything had been confirmed. */
  lastProgress: number;
  /** When the broker began to nack everything; null after an ack. */
  nackedSince: number | null;
}

/**
 * Without any confirm for this many timeouts the channel is stuck. With 10 s that keeps the promise of 30 s.
 */
const STUCK_AFTER_TIMEOUTS = 2;

/** The broker's codes for "no permission" and "no such exchange". */
const REFUSALS = new Set<unknown>([403, 404]);

/**
 * Publishes with confirms over the supervised connection. No call rejects. Without a connection, or while an
 * alarm blocks it, every message fails at once: the caller decides when to try again.
 */
export function createPublisher(supervised: SupervisedConnection, options: PublisherOptions): Publisher {
  const { timeoutMs, maxInFlight } = options;
  /** Not finished, in order of deadline. */
  const open = new Set<PublishBatch>();
  /** Not sent completely. */
  const queue: PublishBatch[] = [];
  let current: PublishChannel | null = null;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  async function openChannel(connection: BrokerConnection): Promise<void> {
    const channel = await connection.openConfirmChannel();
    publishInBlocks(channel);
    const window = new ConfirmWindow();
    const mine: PublishChannel = {
      connection,
      channel,
      window,
      lastProgress: performance.now(),
      nackedSince: null,
    };
    const onConfirm = (isAck: boolean) => (fields: { deliveryTag: number; multiple: boolean }) => {
      const now = performance.now();
      mine.lastProgress = now;
      mine.nackedSince = isAck ? null : (mine.nackedSince ?? now);
      window.confirmed(fields.deliveryTag, fields.multiple, isAck);
      // On RabbitMQ 3.10 a channel opened before a quorum queue changed its leader keeps asking the old one
      // and nacks forever. A new channel asks the new leader.
      if (mine.nackedSince !== null && now - mine.nackedSince >= timeoutMs) {
        connection.abandon(`every message was nacked for ${timeoutMs} ms`);
      }
      pump();
    };
    channel.on('ack', onConfirm(true));
    channel.on('nack', onConfirm(false));
    channel.on('return', ({ fields, properties }) => {
      const replyText: unknown = Reflect.get(fields, 'replyText');
      window.returned(String(properties.messageId), String(replyText));
    });
    let failure = 'the channel was closed';
    let isRefused = false;
    channel.on('error', (error) => {
      failure = describeError(error);
      isRefused = 'code' in error && REFUSALS.has(error.code);
    });
    channel.on('close', () => {
      if (current === mine) lose(failure, isRefused ? 'refused' : 'disconnected');
      // The connection has no other use than this channel. A lost connection closes its channels first: let
      // it report its own reason.
      setImmediate(() => connection.abandon(`publish channel lost: ${failure}`));
    });
    current = mine;
  }

  /** Fails everything that is open: what was sent may have arrived, but no confirm will come. */
  function lose(detail: string, reason: 'disconnected' | 'refused' = 'disconnected'): void {
    current = null;
    for (const batch of open) batch.finish(failed(reason, detail));
    open.clear();
    queue.length = 0;
  }

  /** Sends what is queued, as far as there is room. */
  function pump(): void {
    while (current !== null && current.connection.blocked === null && current.window.size < maxInFlight) {
      const batch = queue[0];
      if (batch === undefined) return;
      const index = batch.sent;
      const message = batch.messages[index];
      if (batch.finished || message === undefined) {
        queue.shift();
      } else {
        batch.sent += 1;
        send(current, batch, index, message);
      }
    }
  }

  function send(to: PublishChannel, batch: PublishBatch, index: number, message: OutgoingMessage): void {
    const { channel, window } = to;
    const { properties, mandatory, inContext } = message;
    const messageId = properties.messageId ?? window.nextId();
    const published = reusedOptions(properties, messageId, mandatory);
    try {
      if (inContext === undefined) publishTo(channel, message, published);
      else publishWithin(inContext, channel, message, published);
      window.sent(batch, index, messageId);
    } catch (error) {
      const reason = error instanceof IllegalOperationError ? 'disconnected' : 'unencodable';
      batch.complete(index, failed(reason, describeError(error)));
    }
  }

  function startTimer(): void {
    const [oldest] = open;
    if (timer !== undefined || oldest === undefined) return;
    // Timers run before sockets are read: if the event loop was blocked, the confirms may be waiting to be
    // read.
    timer = setTimeout(() => setImmediate(expire), Math.max(0, oldest.deadline - performance.now()));
  }

  function expire(): void {
    timer = undefined;
    const now = performance.now();
    const blocked = current?.connection.blocked ?? null;
    for (const batch of open) {
      if (batch.deadline > now) break;
      batch.finish(
        blocked === null ? failed('timeout', `no confirm in ${timeoutMs} ms`) : failed('blocked', blocked),
      );
      open.delete(batch);
    }
    if (current !== null && current.window.size > 0 && blocked === null) {
      const isStuck = now - current.lastProgress >= STUCK_AFTER_TIMEOUTS * timeoutMs;
      if (isStuck) current.connection.abandon(`${current.window.size} messages sent, none confirmed`);
    }
    startTimer();
  }

  function publishBatch(messages: readonly OutgoingMessage[]): Promise<PublishResult[]> {
    const now = performance.now();
    const batch = new PublishBatch(messages, now + timeoutMs);
    if (messages.length === 0) batch.finish(failed('unencodable', 'nothing to send'));
    else if (closed || current === null) batch.finish(failed('disconnected', 'no connection to the broker'));
    else if (current.connection.blocked !== null) batch.finish(failed('blocked', current.connection.blocked));
    if (batch.finished) return batch.results;
    if (current !== null && current.window.size === 0) current.lastProgress = now;
    open.add(batch);
    batch.results.then(() => open.delete(batch));
    queue.push(batch);
    pump();
    startTimer();
    return batch.results;
  }

  const detach = supervised.attach({
    onUp: openChannel,
    onDown: (reason) => lose(reason),
    onBlocked: () => pump(),
  });

  return {
    get ready() {
      return !closed && current !== null && current.connection.blocked === null;
    },
    get inFlight() {
      return current?.window.size ?? 0;
    },
    async publish(message) {
      const [result] = await publishBatch([message]);
      return result ?? failed('disconnected', 'no result');
    },
    publishBatch,
    close() {
      closed = true;
      detach();
      clearTimeout(timer);
      lose('closed by this side');
    },
  };
}

/** Apart from `send`, so that messages that nobody follows need no closure. */
function publishWithin(
  inContext: InContext,
  channel: ConfirmChannel,
  message: OutgoingMessage,
  published: Options.Publish,
): void {
  inContext(() => publishTo(channel, message, published));
}

/** Does not wait where amqplib buffers: `maxInFlight` bounds that buffer. */
function publishTo(
  channel: ConfirmChannel,
  { exchange, routingKey, body }: OutgoingMessage,
  published: Options.Publish,
): void {
  channel.publish(exchange, routingKey, body, published);
}
