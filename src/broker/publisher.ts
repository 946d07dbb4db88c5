import { type ConfirmChannel, IllegalOperationError, type Options } from 'amqplib';
import type { BrokerConnection } from './connect.ts';
import { withCorrelationBytes } from './correlation-bytes.ts';
import { describeError } from './log.ts';
import {
  Batch,
  ConfirmWindow,
  failed,
  type OutgoingMessage,
  type OutgoingProperties,
  type PublishResult,
} from './publish-window.ts';
import type { SupervisedConnection } from './supervisor.ts';

export type { OutgoingMessage, OutgoingProperties, PublishFailure, PublishResult } from './publish-window.ts';

export interface PublisherOptions {
  /** From the call to the confirm, queueing here included. */
  timeoutMs: number;
  /** Messages sent and not confirmed, at most; the rest waits here. */
  maxInFlight: number;
}

export interface Publisher {
  /** Connected and not blocked by an alarm. */
  readonly ready: boolean;
  /** Messages sent and not confirmed, those that timed out included. */
  readonly inFlight: number;
  publish(message: OutgoingMessage): Promise<PublishResult>;
  /** Results in the order of the messages. One promise and one deadline, so the cheaper way for many. */
  publishBatch(messages: readonly OutgoingMessage[]): Promise<PublishResult[]>;
  /** Fails what is not confirmed and sends no more. The connection stays its owner's to stop. */
  close(): void;
}

interface Line {
  connection: BrokerConnection;
  channel: ConfirmChannel;
  window: ConfirmWindow;
  /** Monotonic milliseconds of the last sign of life: a confirm, or the first message after a silence. */
  lastProgress: number;
  /** Since when everything is refused, in the same; null while something is not. */
  refusedSince: number | null;
}

/** Without any confirm for so many timeouts the channel counts as stuck: two of 10 s keep the promise of 30 s. */
const STUCK_AFTER_TIMEOUTS = 2;

/** The broker's codes for "no permission" and "no such exchange". */
const REFUSALS = new Set<unknown>([403, 404]);

/** The headers of the message that is being sent; one that it has not is undefined, which amqplib leaves out. */
const lentHeaders: Record<string, string | number | boolean | undefined> = {};

/**
 * The same object for every message, which amqplib has read when `publish` returns. It makes what it is given the prototype
 * of an object of its own, and V8 keeps what it knows of a prototype in the old generation: the headers of each message
 * would stay until the whole heap is marked (docs/performance.md).
 */
function lent(headers: OutgoingProperties['headers'] = {}): typeof lentHeaders {
  for (const name of Object.keys(lentHeaders)) lentHeaders[name] = undefined;
  return Object.assign(lentHeaders, headers);
}

/**
 * Publishes with confirms over whatever connection the supervisor has. No call rejects. While there is no
 * connection, or an alarm blocks it, everything fails at once: when to try again is for the caller to decide.
 */
export function createPublisher(supervised: SupervisedConnection, options: PublisherOptions): Publisher {
  const { timeoutMs, maxInFlight } = options;
  /** In order of their deadlines. An array for the reason that `TagWindow` has. */
  const open: Batch[] = [];
  const waiting: Batch[] = [];
  let line: Line | null = null;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  async function openLine(connection: BrokerConnection): Promise<void> {
    const channel = await connection.openConfirmChannel();
    const window = new ConfirmWindow();
    const mine: Line = { connection, channel, window, lastProgress: performance.now(), refusedSince: null };
    const onConfirm = (isAck: boolean) => (fields: { deliveryTag: number; multiple: boolean }) => {
      const now = performance.now();
      mine.lastProgress = now;
      mine.refusedSince = isAck ? null : (mine.refusedSince ?? now);
      window.confirmed(fields.deliveryTag, fields.multiple, isAck);
      // A channel of RabbitMQ 3.10 that was opened before a quorum queue had its new leader asks the dead one for
      // ever, and refuses; another one asks the new one.
      if (mine.refusedSince !== null && now - mine.refusedSince >= timeoutMs) {
        connection.abandon(`everything is refused for ${timeoutMs} ms`);
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
      if (line === mine) loseLine(failure, isRefused ? 'refused' : 'disconnected');
      // This channel is all the connection is for. A lost connection takes its channels first, so wait for its
      // own reason.
      setImmediate(() => connection.abandon(`publish channel lost: ${failure}`));
    });
    line = mine;
  }

  /** What was sent may or may not have arrived, and nobody will tell. */
  function loseLine(reason: string, failure: 'disconnected' | 'refused' = 'disconnected'): void {
    line = null;
    for (const batch of open) batch.finish(failed(failure, reason));
    open.length = 0;
    waiting.length = 0;
  }

  function drop(batch: Batch): void {
    const index = open.indexOf(batch);
    if (index >= 0) open.splice(index, 1);
  }

  /** Sends what waits, as far as there is room. */
  function pump(): void {
    while (line !== null && line.connection.blocked === null && line.window.size < maxInFlight) {
      const batch = waiting[0];
      if (batch === undefined) return;
      const index = batch.sent;
      const message = batch.messages[index];
      if (batch.finished || message === undefined) {
        waiting.shift();
      } else {
        batch.sent += 1;
        send(line, batch, index, message);
      }
    }
  }

  function send({ channel, window }: Line, batch: Batch, index: number, message: OutgoingMessage): void {
    const { exchange, routingKey, body, properties, mandatory } = message;
    const messageId = properties.messageId ?? window.nextId();
    try {
      // The returned false says only that amqplib buffers; what bounds the buffer is maxInFlight.
      const headers = lent(properties.headers);
      const options = { persistent: true, ...properties, headers, messageId, mandatory };
      const { correlationId } = properties;
      if (typeof correlationId === 'object') {
        withCorrelationBytes(channel, correlationId, (text) => {
          channel.publish(exchange, routingKey, body, { ...options, correlationId: text });
        });
      } else channel.publish(exchange, routingKey, body, options as Options.Publish);
      window.sent(batch, index, messageId);
    } catch (error) {
      const reason = error instanceof IllegalOperationError ? 'disconnected' : 'unencodable';
      batch.settle(index, failed(reason, describeError(error)));
    }
  }

  function arm(): void {
    const [oldest] = open;
    if (timer !== undefined || oldest === undefined) return;
    // Timers run before sockets are read: after a blocked event loop the confirms may be there already.
    timer = setTimeout(() => setImmediate(expire), Math.max(0, oldest.deadline - performance.now()));
  }

  function expire(): void {
    timer = undefined;
    const now = performance.now();
    for (let batch = open[0]; batch !== undefined && batch.deadline <= now; batch = open[0]) {
      const blocked = line?.connection.blocked ?? null;
      batch.finish(
        blocked === null ? failed('timeout', `no confirm in ${timeoutMs} ms`) : failed('blocked', blocked),
      );
      open.shift();
    }
    if (line !== null && line.window.size > 0 && line.connection.blocked === null) {
      const stuck = now - line.lastProgress >= STUCK_AFTER_TIMEOUTS * timeoutMs;
      if (stuck) line.connection.abandon(`${line.window.size} messages sent, none confirmed`);
    }
    arm();
  }

  function publishBatch(messages: readonly OutgoingMessage[]): Promise<PublishResult[]> {
    const now = performance.now();
    const batch = new Batch(messages, now + timeoutMs);
    if (messages.length === 0) batch.finish(failed('unencodable', 'nothing to send'));
    else if (closed || line === null) batch.finish(failed('disconnected', 'no connection to the broker'));
    else if (line.connection.blocked !== null) batch.finish(failed('blocked', line.connection.blocked));
    if (batch.finished) return batch.results;
    if (line !== null && line.window.size === 0) line.lastProgress = now;
    open.push(batch);
    batch.results.then(() => drop(batch));
    waiting.push(batch);
    pump();
    arm();
    return batch.results;
  }

  const leave = supervised.attach({
    onUp: openLine,
    onDown: (reason) => loseLine(reason),
    onBlocked: () => pump(),
  });

  return {
    get ready() {
      return !closed && line !== null && line.connection.blocked === null;
    },
    get inFlight() {
      return line?.window.size ?? 0;
    },
    async publish(message) {
      const [result] = await publishBatch([message]);
      return result ?? failed('disconnected', 'no result');
    },
    publishBatch,
    close() {
      closed = true;
      leave();
      clearTimeout(timer);
      loseLine('closed by this side');
    },
  };
}
