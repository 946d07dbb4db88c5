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
  delivered(tag: number, bytes: number): void;
  /** Marks as done. A tag that is not in hand, or was settled before, changes nothing. */
  settled(tag: number): void;
  /**
   * The acknowledgements to send now, in the fewest frames; each tag is covered once.
   *
   * @param everything also those that would rather wait for an older delivery to be settled.
   */
  due(everything?: boolean): Ack[];
}

/**
 * Tags must be delivered in ascending order, as a channel does. One frame covers everything below the oldest
 * unsettled delivery. What is settled above it waits for it, since usually it is only a batch answered out of
 * turn, and every frame is a command in the log of the queue. A slow one must not fill the prefetch window,
 * though: when so many wait, they are acknowledged tag by tag.
 */
export function createAckLedger(mayWait: number): AckLedger {
  /** Bytes by tag. */
  const unsettled = new TagWindow<number>();
  let settled: number[] = [];
  let inFlightBytes = 0;

  return {
    get inFlight() {
      return unsettled.size;
    },
    get inFlightBytes() {
      return inFlightBytes;
    },
    delivered(tag, bytes) {
      unsettled.add(tag, bytes);
      inFlightBytes += bytes;
    },
    settled(tag) {
      const bytes = unsettled.take(tag);
      if (bytes === undefined) return;
      inFlightBytes -= bytes;
      settled.push(tag);
    },
    due(everything = false) {
      const oldest = unsettled.oldest ?? Number.POSITIVE_INFINITY;
      const above = settled.filter((tag) => tag > oldest);
      const scatter = everything || above.length > mayWait;
      // The broker refuses a tag that is not outstanding, so the frame names the last one settled, not the gap.
      let upTo = 0;
      for (const tag of settled) if (tag < oldest && tag > upTo) upTo = tag;
      settled = scatter ? [] : above;
      const acks: Ack[] = scatter ? above.map((tag) => ({ tag, multiple: false })) : [];
      return upTo > 0 ? [{ tag: upTo, multiple: true }, ...acks] : acks;
    },
  };
}
