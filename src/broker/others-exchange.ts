import { sleep } from '../retry.ts';
import { ask } from './ask.ts';
import type { BrokerConnection } from './connect.ts';
import {
  createPublisher,
  type OutgoingMessage,
  type PublisherOptions,
  type PublishResult,
} from './publisher.ts';
import type { SupervisedConnection } from './supervisor.ts';

/** `refused`: the exchange does not take messages now. `failed`: not confirmed for a reason of the connection. */
export type Taking = 'confirmed' | 'refused' | 'failed';

/** Publishes to an exchange that others declare and bind. */
export interface OthersExchange {
  /** Whether it takes messages, as far as is known. */
  readonly isTaking: boolean;
  /** Results in the order of the messages. While the exchange does not take any, nothing is sent. Never rejects. */
  publish: (messages: readonly OutgoingMessage[]) => Promise<Taking[]>;
  stop: () => Promise<void>;
}

/** While it takes no message, one is sent this often to ask again. */
const ASK_AGAIN_MS = 3000;

/**
 * An exchange that others declare and bind may be missing, have no queue bound, be closed to this user, or have a full queue
 * behind it. A refusal costs the connection, so it needs one for itself, and while it lasts only the message that was
 * refused first is sent again and again.
 *
 * @param onRefused called when it begins and ceases to refuse; the detail has the broker's words
 */
export function openOthersExchange(
  supervised: SupervisedConnection,
  exchange: string,
  options: PublisherOptions,
  onRefused: (isRefused: boolean, detail: string) => void,
): OthersExchange {
  const publisher = createPublisher(supervised, options);
  const stopping = new AbortController();
  let isTaking = true;
  /** Refused; none where the exchange was found missing before anything was sent. */
  let refused: OutgoingMessage | undefined;

  function refuse(detail: string, message?: OutgoingMessage): void {
    refused ??= message;
    if (!isTaking) return;
    isTaking = false;
    onRefused(true, detail);
    void askAgain();
  }

  async function askAgain(): Promise<void> {
    while (!isTaking) {
      await sleep(ASK_AGAIN_MS, stopping.signal);
      if (stopping.signal.aborted) return;
      isTaking = await takes().catch(() => false);
    }
    refused = undefined;
    onRefused(false, '');
  }

  async function takes(): Promise<boolean> {
    const connection = supervised.current;
    if (connection === null || (await absence(connection)) !== null) return false;
    return refused === undefined || (await publisher.publish(refused)).kind === 'confirmed';
  }

  /** Why the exchange is not there; null if it is. Needs no permission. */
  async function absence(connection: BrokerConnection): Promise<string | null> {
    return (await ask(connection, (channel) => channel.checkExchange(exchange)))?.text ?? null;
  }

  async function look(connection: BrokerConnection): Promise<void> {
    const missing = await absence(connection);
    if (missing !== null) refuse(missing);
  }

  function note(message: OutgoingMessage, result: PublishResult): Taking {
    if (result.kind === 'confirmed') return 'confirmed';
    const isRefused = result.kind === 'returned' || result.reason === 'refused' || result.reason === 'nacked';
    if (!isRefused) return 'failed';
    refuse(
      result.kind === 'returned' ? `no queue is bound to it (${result.replyText})` : result.detail,
      message,
    );
    return 'refused';
  }

  const detach = supervised.attach({
    // Beside the set-up: a lost connection is reported by its supervisor.
    onUp: (connection) => void look(connection).catch(() => undefined),
  });

  return {
    get isTaking() {
      return isTaking;
    },
    async publish(messages) {
      if (!isTaking) return messages.map(() => 'refused');
      const results = await publisher.publishBatch(messages);
      return messages.map((message, place) => {
        const result = results[place];
        return result === undefined ? 'failed' : note(message, result);
      });
    },
    async stop() {
      stopping.abort();
      detach();
      publisher.close();
      await supervised.stop();
    },
  };
}
