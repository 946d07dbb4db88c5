import { TagWindow } from './tag-window.ts';

/** One acknowledgement to send. */
export interface Ack {
  tag: number;
  /** Everything up to and including `tag`, else `tag` alone. */
  multiple: boolean;
}

/** What one channel delivered, and what of it may be acknowledged. */
export interface AckLedger {
  /** Delivered and not settled. */
  readonly inFlight: number;
  /** Bytes of bodies delivered and not settled. */
  readonly inFlightBytes: number;
  /** Settled, and waiting for an older delivery: ask `due` again in `PATIENCE_MS`. */
  readonly withheld: number;
  delivered(tag: number, bytes: number): void;
  /** Marks as done. A tag that is not in hand, or was settled before, changes nothing. */
  ack(tag: number): void;
  /** Takes out what is answered in another way than by an acknowledgement. False where it is not in hand. */
  takeOut(tag: number): boolean;
  /**
   * The acknowledgements to send now, in the fewest frames; each tag is covered once.
   *
   * @param everything also those that would rather wait for an older delivery to be settled.
   */
  due(everything?: boolean): Ack[];
}

/** So many milliseconds a delivery may hold up the acknowledgements of those that were settled after it. */
export const PATIENCE_MS = 100;

/**
 * Tags must be delivered in ascending order, as a channel does. One frame covers everything below the oldest
 * unsettled delivery. What is settled above it waits for it, since usually it is only a batch answered out of
 * turn, and every frame is a command in the log of the queue. What is slow (a password to be hashed, a locked row)
 * must not hold the prefetch window of the others, though: when many wait, or one has waited for `PATIENCE_MS`, they
 * are acknowledged tag by tag, and from then on at once until everything that they have overtaken is settled.
 *
 * @param mayWait so many may wait at once
 * @param now milliseconds on a clock that never goes back
 */
export function createAckLedger(mayWait: number, now = () => performance.now()): AckLedger {
  /** Bytes by tag. */
  const unsettled = new TagWindow<number>();
  let settled: number[] = [];
  let inFlightBytes = 0;
  /** When the first of those that wait began to; null where none does. */
  let waitingSince: number | null = null;
  /** The highest tag that was acknowledged by itself: what is unsettled below it is slow. */
  let overtakenBy = 0;

  function take(tag: number): boolean {
    const bytes = unsettled.take(tag);
    if (bytes === undefined) return false;
    inFlightBytes -= bytes;
    return true;
  }

  function isSlow(oldest: number): boolean {
    if (oldest < overtakenBy) return true;
    waitingSince ??= now();
    return now() - waitingSince >= PATIENCE_MS;
  }

  return {
    get inFlight() {
      return unsettled.size;
    },
    get inFlightBytes() {
      return inFlightBytes;
    },
    get withheld() {
      return waitingSince === null ? 0 : settled.length;
    },
    delivered(tag, bytes) {
      unsettled.add(tag, bytes);
      inFlightBytes += bytes;
    },
    ack(tag) {
      if (take(tag)) settled.push(tag);
    },
    takeOut: take,
    due(everything = false) {
      const oldest = unsettled.oldest ?? Number.POSITIVE_INFINITY;
      const above = settled.filter((tag) => tag > oldest);
      const scatter = above.length > 0 && (everything || above.length > mayWait || isSlow(oldest));
      if (scatter) overtakenBy = Math.max(overtakenBy, ...above);
      // The broker refuses a tag that is not outstanding, so the frame names the last one settled, not the gap.
      let upTo = 0;
      for (const tag of settled) if (tag < oldest && tag > upTo) upTo = tag;
      settled = scatter ? [] : above;
      if (settled.length === 0) waitingSince = null;
      const acks: Ack[] = scatter ? above.map((tag) => ({ tag, multiple: false })) : [];
      return upTo > 0 ? [{ tag: upTo, multiple: true }, ...acks] : acks;
    },
  };
}
