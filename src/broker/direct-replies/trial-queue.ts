import type { OutgoingMessage, PublishResult } from '../publisher.ts';
import type { ReplyConnection, SendResult } from './reply-connection.ts';

/** A direct reply. */
export interface DirectReply {
  message: OutgoingMessage;
  /** Its call was accepted; such replies are tried first. */
  accepted: boolean;
}

/** What became of a direct reply. All but a PublishResult means that it was not sent, or is lost. */
export type DirectResult =
  | PublishResult
  /** Too many others waited to be tried. */
  | { kind: 'crowded' }
  /** Its address makes the broker close the connection. */
  | { kind: 'closing' }
  /** Its address is not one that a broker issues. */
  | { kind: 'malformed' };

interface Waiting extends DirectReply {
  /** Monotonic milliseconds. */
  deadline: number;
  resolve: (result: DirectResult) => void;
}

/** Switches wait for a reply for about two seconds. */
const WAIT_MAX_MS = 1_000;
const WAITING_MAX = 1_000;

/**
 * Tries replies one at a time over a connection that nothing else uses, so that an address that makes the
 * broker close it costs no other reply. Replies to accepted calls go first, in order of arrival. None waits
 * longer than a second.
 */
export class TrialQueue {
  readonly #connection: ReplyConnection;
  readonly #onResult: (address: string, result: SendResult) => void;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;

  /** @param onResult called with each result before the promise of `send` resolves */
  constructor(connection: ReplyConnection, onResult: (address: string, result: SendResult) => void) {
    this.#connection = connection;
    this.#onResult = onResult;
  }

  send(reply: DirectReply): Promise<DirectResult> {
    if (this.#waiting.length >= WAITING_MAX) return Promise.resolve({ kind: 'crowded' });
    return new Promise((resolve) => {
      this.#waiting.push({ ...reply, deadline: performance.now() + WAIT_MAX_MS, resolve });
      this.#running ??= this.#run().finally(() => {
        this.#running = undefined;
      });
    });
  }

  /** Takes replies whose address `matches` out of the queue. The caller resolves them. */
  take(matches: (address: string) => boolean): Waiting[] {
    const taken = this.#waiting.filter(({ message }) => matches(message.routingKey));
    if (taken.length > 0) this.#waiting = this.#waiting.filter((one) => !taken.includes(one));
    return taken;
  }

  async #run(): Promise<void> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const [result] = await this.#connection.send([next.message]);
      if (result === undefined) return next.resolve({ kind: 'crowded' });
      this.#onResult(next.message.routingKey, result);
      next.resolve(result.kind === 'crashed' ? { kind: 'closing' } : result);
    }
  }

  #next(): Waiting | undefined {
    const now = performance.now();
    const late = this.#waiting.filter(({ deadline }) => deadline <= now);
    if (late.length > 0) this.#waiting = this.#waiting.filter((one) => one.deadline > now);
    for (const { resolve } of late) resolve({ kind: 'crowded' });
    const firstAccepted = this.#waiting.findIndex(({ accepted }) => accepted);
    return this.#waiting.splice(Math.max(0, firstAccepted), 1)[0];
  }
}
