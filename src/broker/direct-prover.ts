import type { DirectLane, LaneResult } from './direct-lane.ts';
import type { OutgoingMessage, PublishResult } from './publish-window.ts';

/** A reply to an address that nothing is known of. */
export interface Unproven {
  message: OutgoingMessage;
  /** Goes before those that are not. */
  accepted: boolean;
}

/** What became of a direct reply; what is not a result of publishing was not sent, or is lost. */
export type DirectResult =
  | PublishResult
  /** Too many others waited to be tried. */
  | { kind: 'crowded' }
  /** Its address makes the broker close the connection. */
  | { kind: 'closing' }
  /** Its address is not one that a broker gives out. */
  | { kind: 'malformed' };

interface Waiting extends Unproven {
  /** Monotonic milliseconds. */
  deadline: number;
  resolve: (result: DirectResult) => void;
}

/** A switch waits for about two seconds. */
const LONGEST_WAIT_MS = 1_000;
const MOST_WAITING = 1_000;

/**
 * Sends one reply at a time over a connection that nothing else uses, so that an address that makes the broker close
 * it costs nobody else a reply. Accepted calls go first, in the order of arrival; nothing waits for more than a second.
 */
export class DirectProver {
  readonly #lane: DirectLane;
  readonly #onEnd: (address: string, result: LaneResult) => void;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;

  /** @param onEnd told of each result before whoever waits for it */
  constructor(lane: DirectLane, onEnd: (address: string, result: LaneResult) => void) {
    this.#lane = lane;
    this.#onEnd = onEnd;
  }

  send(unproven: Unproven): Promise<DirectResult> {
    if (this.#waiting.length >= MOST_WAITING) return Promise.resolve({ kind: 'crowded' });
    return new Promise((resolve) => {
      this.#waiting.push({ ...unproven, deadline: performance.now() + LONGEST_WAIT_MS, resolve });
      this.#running ??= this.#run().finally(() => {
        this.#running = undefined;
      });
    });
  }

  /** Takes out what waits for an address that `matches`. */
  take(matches: (address: string) => boolean): Waiting[] {
    const taken = this.#waiting.filter(({ message }) => matches(message.routingKey));
    if (taken.length > 0) this.#waiting = this.#waiting.filter((one) => !taken.includes(one));
    return taken;
  }

  async #run(): Promise<void> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const [result] = await this.#lane.send([next.message]);
      if (result === undefined) return next.resolve({ kind: 'crowded' });
      this.#onEnd(next.message.routingKey, result);
      next.resolve(result.kind === 'crashed' ? { kind: 'closing' } : result);
    }
  }

  #next(): Waiting | undefined {
    const now = performance.now();
    const late = this.#waiting.filter(({ deadline }) => deadline <= now);
    if (late.length > 0) this.#waiting = this.#waiting.filter((one) => one.deadline > now);
    for (const { resolve } of late) resolve({ kind: 'crowded' });
    const index = Math.max(
      0,
      this.#waiting.findIndex(({ accepted }) => accepted),
    );
    return this.#waiting.splice(index, 1)[0];
  }
}
