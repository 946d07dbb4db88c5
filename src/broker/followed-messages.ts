import { AsyncLocalStorage } from 'node:async_hooks';
import type { ConsumeMessage, Message } from 'amqplib';

/** Runs work in the asynchronous context of a message, where instrumentation finds the trace that it belongs to. */
export type InContext = <Result>(work: () => Result) => Result;

/**
 * The messages in hand of a channel that instrumentation follows from their delivery to their acknowledgement
 * (docs/operations.md, "Traces"). It knows them by the objects that it was shown.
 */
export class FollowedMessages {
  /** By delivery tag, ascending. */
  readonly #messages = new Map<number, Message>();

  /** Call it in the context that the message was delivered in. */
  add(message: ConsumeMessage): InContext {
    this.#messages.set(message.fields.deliveryTag, message);
    return AsyncLocalStorage.snapshot();
  }

  /**
   * Takes out a message to acknowledge or reject. amqplib reads only its delivery tag: messages that nobody follows, whose
   * headers may have 16 KiB, need not be kept until they are done.
   *
   * @param multiple with it goes everything that was delivered before
   */
  take(deliveryTag: number, multiple: boolean): Message {
    const followed = this.#messages.get(deliveryTag);
    if (followed === undefined) return { fields: { deliveryTag } } as Message;
    this.#messages.delete(deliveryTag);
    if (multiple) for (const tag of this.#messages.keys()) if (tag < deliveryTag) this.#messages.delete(tag);
    return followed;
  }
}
