import { TagWindow } from './tag-window.ts';

/** One acknowledgement to send. */
export interface Ack {
  tag: number;
  /** Covers everything up to and including `tag`, else `tag` alone. */
  multiple: boolean;
}

/** The deliveries of one channel, and which acknowledgements to send for them. */
export interface AckLedger {
  /** Deliveries that are not done. */
  readonly inFlight: number;
  /** Bytes of their bodies. */
  readonly inFlightBytes: number;
  /** When the oldest of them came, in monotonic milliseconds; null without any. */
  readonly oldestSince: number | null;
  /** Deliveries that are done and not acknowledged: call `flush` again after `GATHER_MS`. */
  readonly waiting: number;
  /** Adds a delivery. Tags ascend, as a channel counts them. */
  delivered(tag: number, bytes: number): void;
  /** Nothing more needs to happen for this delivery. Ignored if it is not in flight. */
  done(tag: number): void;
  /** Removes a delivery that is rejected instead of acknowledged. False if it is not in flight. */
  remove(tag: number): boolean;
  /**
   * Takes the acknowledgements to send now, in the fewest frames. Each tag is covered exactly once.
   *
   * @param everything also those that would otherwise wait
   */
  flush(everything?: boolean): Ack[];
}

/** How long a few acknowledgements wait for more, in milliseconds. */
export const GATHER_MS = 15;
/** This many are sent at once. */
const GATHERED_MAX = 100;
/** Longest time that a delivery may hold up the acknowledgements of later ones. */
export const PATIENCE_MS = 100;

/**
 * Every ack frame becomes a command in the log of the quorum queue. The broker syncs that log to disk, and new messages wait
 * behind it. So a small number is held for `GATHER_MS`, and one frame with `multiple` covers
 * everything below the oldest delivery in flight. Deliveries that are done above it are withheld: usually a
 * batch was only answered out of order, and the gap closes in a moment. A slow delivery (a password to hash,
 * a locked row) must not block the prefetch window, though. When too many are withheld, or one for
 * `PATIENCE_MS`, they are acknowledged one by one, and so is everything that follows until all deliveries
 * that were overtaken are done.
 *
 * @param withheldMax most deliveries to withhold; at this number, gathered ones are sent too
 * @param now monotonic milliseconds
 */
export function createAckLedger(withheldMax: number, now = () => performance.now()): AckLedger {
  const inFlight = new TagWindow<{ bytes: number; since: number }>();
  /** Done and not acknowledged. */
  let done: number[] = [];
  let inFlightBytes = 0;
  /** When `done` last became non-empty; null while it is empty. */
  let waitingSince: number | null = null;
  /** The highest tag acknowledged by itself. Whatever is in flight below it is slow. */
  let overtakenBy = 0;

  function remove(tag: number): boolean {
    const delivered = inFlight.take(tag);
    if (delivered === undefined) return false;
    inFlightBytes -= delivered.bytes;
    return true;
  }

  function haveWaited(ms: number): boolean {
    return waitingSince !== null && now() - waitingSince >= ms;
  }

  return {
    get inFlight() {
      return inFlight.size;
    },
    get inFlightBytes() {
      return inFlightBytes;
    },
    get oldestSince() {
      const { oldest } = inFlight;
      return (oldest === undefined ? undefined : inFlight.get(oldest)?.since) ?? null;
    },
    get waiting() {
      return done.length;
    },
    delivered(tag, bytes) {
      inFlight.add(tag, { bytes, since: now() });
      inFlightBytes += bytes;
    },
    done(tag) {
      if (!remove(tag)) return;
      done.push(tag);
      waitingSince ??= now();
    },
    remove,
    flush(everything = false) {
      const areFew = done.length < Math.min(withheldMax, GATHERED_MAX);
      if (!everything && areFew && !haveWaited(GATHER_MS)) return [];
      const oldest = inFlight.oldest ?? Number.POSITIVE_INFINITY;
      const above = done.filter((tag) => tag > oldest);
      const isSlow = oldest < overtakenBy || haveWaited(PATIENCE_MS);
      const oneByOne = above.length > 0 && (everything || above.length > withheldMax || isSlow);
      if (oneByOne) overtakenBy = Math.max(overtakenBy, ...above);
      // The broker refuses a tag that is not outstanding, so name the highest one that is done, not `oldest -
      // 1`.
      let upTo = 0;
      for (const tag of done) if (tag < oldest && tag > upTo) upTo = tag;
      done = oneByOne ? [] : above;
      if (done.length === 0) waitingSince = null;
      const acks: Ack[] = oneByOne ? above.map((tag) => ({ tag, multiple: false })) : [];
      return upTo > 0 ? [{ tag: upTo, multiple: true }, ...acks] : acks;
    },
  };
}
