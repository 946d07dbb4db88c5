import { randomUUID } from 'node:crypto';
import type { InContext } from './followed-messages.ts';
import { TagWindow } from './tag-window.ts';

/** A message to publish. */
export interface OutgoingMessage {
  exchange: string;
  routingKey: string;
  body: Buffer;
  properties: OutgoingProperties;
  /** The broker returns the message if no queue takes it (`returned`). */
  mandatory: boolean;
  /** Of the message that it answers. */
  inContext?: InContext | undefined;
}

/**
 * The properties that a message of this system may carry. Not among them: `CC`, `user_id`, `expiration` and
 * the like.
 */
export interface OutgoingProperties {
  contentType?: string;
  /** Any bytes, where a sender used such. */
  correlationId?: string | Buffer;
  /** The publisher generates one if it is not given. */
  messageId?: string;
  replyTo?: string;
  type?: string;
  appId?: string;
  /** Survives a restart of the broker; true by default. */
  persistent?: boolean;
  headers?: Readonly<Record<string, string | number | boolean | Buffer>>;
}

/** `confirmed`: confirmed by the broker in time, and not returned. Nothing else counts as sent. */
export type PublishResult =
  | { kind: 'confirmed' }
  /** No queue took it. */
  | { kind: 'returned'; replyText: string }
  /** After `timeout` and `disconnected` the message may have arrived all the same, or may still arrive. */
  | { kind: 'failed'; reason: PublishFailure; detail: string };

/** `refused`: no permission to publish to the exchange, or no such exchange; the detail says which. */
export type PublishFailure = 'nacked' | 'timeout' | 'disconnected' | 'blocked' | 'unencodable' | 'refused';

const CONFIRMED: PublishResult = Object.freeze({ kind: 'confirmed' });
const NACKED = failed('nacked', 'the broker refused it: a full queue, or one without its leader');
/** Marks a message without a result; compared by identity. */
const PENDING = failed('timeout', '');

export function failed(reason: PublishFailure, detail: string): PublishResult {
  return Object.freeze({ kind: 'failed', reason, detail });
}

/** Messages published by one call; `results` resolves when each has its result. */
export class PublishBatch {
  readonly messages: readonly OutgoingMessage[];
  /** Monotonic milliseconds. */
  readonly deadline: number;
  readonly results: Promise<PublishResult[]>;
  /** How many were given to the channel. */
  sent = 0;
  finished = false;
  #results: PublishResult[];
  #pending: number;
  #resolve: (results: PublishResult[]) => void = () => {};

  constructor(messages: readonly OutgoingMessage[], deadline: number) {
    this.messages = messages;
    this.deadline = deadline;
    this.#pending = messages.length;
    this.#results = new Array<PublishResult>(messages.length).fill(PENDING);
    this.results = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** The broker confirms a returned message too, after the return: that changes nothing. */
  returned(index: number, replyText: string): void {
    if (!this.finished) this.#results[index] = { kind: 'returned', replyText };
  }

  isReturned(index: number): boolean {
    return this.#results[index]?.kind === 'returned';
  }

  /** No more is to come for this message. */
  complete(index: number, result: PublishResult): void {
    if (this.finished) return;
    if (this.#results[index] === PENDING) this.#results[index] = result;
    this.#pending -= 1;
    if (this.#pending === 0) this.finish(CONFIRMED);
  }

  /** Resolves `results`, with `rest` for every message that has none. */
  finish(rest: PublishResult): void {
    if (this.finished) return;
    this.finished = true;
    this.#resolve(this.#results.map((result) => (result === PENDING ? rest : result)));
  }
}

/** Where the result of one message goes. */
interface Unconfirmed {
  batch: PublishBatch;
  index: number;
  messageId: string;
}

/** What was sent on one channel and is not confirmed. */
export class ConfirmWindow {
  readonly #unconfirmed = new TagWindow<Unconfirmed>();
  readonly #prefix = `${randomUUID()}.`;
  #lastTag = 0;

  get size(): number {
    return this.#unconfirmed.size;
  }

  /** The message id for the next message, if it has none. */
  nextId(): string {
    return `${this.#prefix}${this.#lastTag + 1}`;
  }

  /** Call once for every message given to the channel: the broker counts the same way. */
  sent(batch: PublishBatch, index: number, messageId: string): void {
    this.#lastTag += 1;
    this.#unconfirmed.add(this.#lastTag, { batch, index, messageId });
  }

  /** An ack or nack from the broker. */
  confirmed(tag: number, multiple: boolean, isAck: boolean): void {
    const result = isAck ? CONFIRMED : NACKED;
    if (!multiple) {
      this.#complete(tag, result);
      return;
    }
    for (let oldest = this.#unconfirmed.oldest; oldest !== undefined && oldest <= tag; ) {
      this.#complete(oldest, result);
      oldest = this.#unconfirmed.oldest;
    }
  }

  /**
   * The broker sends a return before the confirm of the same message, and returns in the order of publishing.
   */
  returned(messageId: string, replyText: string): void {
    const found = this.#find(messageId);
    found?.batch.returned(found.index, replyText);
  }

  #complete(tag: number, result: PublishResult): void {
    const found = this.#unconfirmed.take(tag);
    found?.batch.complete(found.index, result);
  }

  #find(messageId: string): Unconfirmed | undefined {
    if (messageId.startsWith(this.#prefix)) {
      return this.#unconfirmed.get(Number(messageId.slice(this.#prefix.length)));
    }
    // Callers' ids need not be unique: of equal ones take the oldest that was not returned yet.
    for (const one of this.#unconfirmed.values()) {
      if (one.messageId === messageId && !one.batch.isReturned(one.index)) return one;
    }
    return undefined;
  }
}
