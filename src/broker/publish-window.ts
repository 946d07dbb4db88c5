import { randomUUID } from 'node:crypto';
import { TagWindow } from './tag-window.ts';

/** Properties a message of this system may carry; `CC`, `user_id`, `expiration` and their like it may not. */
export interface OutgoingProperties {
  contentType?: string;
  /** Of any bytes, where a sender gave such. */
  correlationId?: string | Buffer;
  /** Without one the publisher gives its own. */
  messageId?: string;
  replyTo?: string;
  type?: string;
  appId?: string;
  /** Survives a restart of the broker; yes unless said otherwise. */
  persistent?: boolean;
  headers?: Readonly<Record<string, string | number | boolean>>;
}

export interface OutgoingMessage {
  exchange: string;
  routingKey: string;
  body: Buffer;
  properties: OutgoingProperties;
  /** Come back as `returned` when no queue takes it. */
  mandatory: boolean;
}

/** `confirmed` means: confirmed by the broker, not returned, and in time. Nothing else counts as sent. */
export type PublishResult =
  | { kind: 'confirmed' }
  /** No queue took it. */
  | { kind: 'returned'; replyText: string }
  /** After `timeout` and `disconnected` it may still have been delivered, or be yet. */
  | { kind: 'failed'; reason: PublishFailure; detail: string };

/** `refused`: this user may not publish to the exchange, or there is no such exchange; the detail says which. */
export type PublishFailure = 'nacked' | 'timeout' | 'disconnected' | 'blocked' | 'unencodable' | 'refused';

const CONFIRMED: PublishResult = Object.freeze({ kind: 'confirmed' });
const NACKED = failed('nacked', 'the broker refused it: a full queue, or one without its leader');
/** Stands where there is no result yet; told apart by identity. */
const PENDING = failed('timeout', '');

export function failed(reason: PublishFailure, detail: string): PublishResult {
  return Object.freeze({ kind: 'failed', reason, detail });
}

/** Messages handed in together and answered together. */
export class Batch {
  readonly messages: readonly OutgoingMessage[];
  /** Monotonic milliseconds. */
  readonly deadline: number;
  readonly results: Promise<PublishResult[]>;
  /** How many were given to the channel. */
  sent = 0;
  finished = false;
  #slots: PublishResult[];
  #open: number;
  #finish: (results: PublishResult[]) => void = () => {};

  constructor(messages: readonly OutgoingMessage[], deadline: number) {
    this.messages = messages;
    this.deadline = deadline;
    this.#open = messages.length;
    this.#slots = new Array<PublishResult>(messages.length).fill(PENDING);
    this.results = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** The confirm is still to come, and will not change this. */
  returned(index: number, replyText: string): void {
    if (!this.finished) this.#slots[index] = { kind: 'returned', replyText };
  }

  isReturned(index: number): boolean {
    return this.#slots[index]?.kind === 'returned';
  }

  settle(index: number, result: PublishResult): void {
    if (this.finished) return;
    if (this.#slots[index] === PENDING) this.#slots[index] = result;
    this.#open -= 1;
    if (this.#open === 0) this.finish(CONFIRMED);
  }

  /** Answers, with `rest` for every message that has no result. */
  finish(rest: PublishResult): void {
    if (this.finished) return;
    this.finished = true;
    this.#finish(this.#slots.map((result) => (result === PENDING ? rest : result)));
  }
}

interface Slot {
  batch: Batch;
  index: number;
  messageId: string;
}

/** What one channel has sent and the broker has not confirmed. */
export class ConfirmWindow {
  readonly #slots = new TagWindow<Slot>();
  readonly #prefix = `${randomUUID()}.`;
  #lastTag = 0;

  get size(): number {
    return this.#slots.size;
  }

  /** The message id of the next message, unless it has one. */
  nextId(): string {
    return `${this.#prefix}${this.#lastTag + 1}`;
  }

  /** To be called once for every message given to the channel: the broker counts the same way. */
  sent(batch: Batch, index: number, messageId: string): void {
    this.#lastTag += 1;
    this.#slots.add(this.#lastTag, { batch, index, messageId });
  }

  /** An ack or nack of the broker. */
  confirmed(tag: number, multiple: boolean, isAck: boolean): void {
    const result = isAck ? CONFIRMED : NACKED;
    if (!multiple) {
      this.#settle(tag, result);
      return;
    }
    for (
      let oldest = this.#slots.oldest;
      oldest !== undefined && oldest <= tag;
      oldest = this.#slots.oldest
    ) {
      this.#settle(oldest, result);
    }
  }

  /** The broker sends a return before the confirm of the same message, and returns in the order of publishing. */
  returned(messageId: string, replyText: string): void {
    const slot = this.#find(messageId);
    slot?.batch.returned(slot.index, replyText);
  }

  #settle(tag: number, result: PublishResult): void {
    const slot = this.#slots.take(tag);
    slot?.batch.settle(slot.index, result);
  }

  #find(messageId: string): Slot | undefined {
    if (messageId.startsWith(this.#prefix)) {
      return this.#slots.get(Number(messageId.slice(this.#prefix.length)));
    }
    // A caller's own id need not be unique: of equal ones the oldest that has not come back is meant.
    for (const slot of this.#slots.values()) {
      if (slot.messageId === messageId && !slot.batch.isReturned(slot.index)) return slot;
    }
    return undefined;
  }
}
