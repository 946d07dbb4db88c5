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
  /** The acknowledgements due since the last call, in the fewest frames; each tag is handed out once. */
  due(): Ack[];
}

/**
 * Tags must be delivered in ascending order, as a channel does. One frame covers everything below the oldest
 * unsettled delivery; what is settled above it, past a slow one, is acknowledged tag by tag, because holding it
 * back would fill the prefetch window behind one slow message.
 */
export function createAckLedger(): AckLedger {
  // A Map iterates in order of insertion, which is the order of tags: its first key is the oldest unsettled.
  const unsettled = new Map<number, number>();
  let due: number[] = [];
  let inFlightBytes = 0;

  return {
    get inFlight() {
      return unsettled.size;
    },
    get inFlightBytes() {
      return inFlightBytes;
    },
    delivered(tag, bytes) {
      unsettled.set(tag, bytes);
      inFlightBytes += bytes;
    },
    settled(tag) {
      const bytes = unsettled.get(tag);
      if (bytes === undefined) return;
      unsettled.delete(tag);
      inFlightBytes -= bytes;
      due.push(tag);
    },
    due() {
      const oldest = unsettled.keys().next().value ?? Number.POSITIVE_INFINITY;
      const acks: Ack[] = [];
      let upTo = 0;
      for (const tag of due) {
        if (tag > oldest) acks.push({ tag, multiple: false });
        else if (tag > upTo) upTo = tag;
      }
      due = [];
      // The broker refuses a tag that is not outstanding, so the frame names the last one settled, not the gap.
      if (upTo > 0) acks.unshift({ tag: upTo, multiple: true });
      return acks;
    },
  };
}
