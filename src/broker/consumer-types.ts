import type { Delivery } from './delivery.ts';

export interface ConsumerOptions {
  queue: string;
  /** Deliveries in hand at once, at most. */
  prefetch: number;
  /** Of a longer body only so many bytes and one are kept; `Delivery.bytes` tells the true length. */
  keepBytes: number;
  /** With more bytes of bodies in hand nothing more is read, whatever the prefetch; IN_HAND_BYTES if not given. */
  inHandBytes?: number;
  /** Called for every delivery, in order, as it arrives. Must not throw. */
  onDelivery(delivery: Delivery): void;
  onState?(state: ConsumerState): void;
  /** The subscription was lost, not ended by this side. */
  onLost?(cause: LossCause): void;
}

/** `decoding`: this side could not make sense of what came. `cancelled`: the broker ended it, as for a deleted queue. */
export const lossCauses = ['connection', 'channel', 'cancelled', 'decoding'] as const;
export type LossCause = (typeof lossCauses)[number];

export type ConsumerState = 'disconnected' | 'subscribing' | 'consuming' | 'paused' | 'closed';

export interface Consumer {
  readonly state: ConsumerState;
  readonly consuming: boolean;
  /** Deliveries of the present channel that are not settled. */
  readonly inFlight: number;
  /** Bytes of their bodies. */
  readonly inFlightBytes: number;
  /** Whether the delivery can still be acknowledged; if not, the broker gives it out again. */
  isLive(delivery: Delivery): boolean;
  /** Says that nothing more needs to happen for a delivery. Acknowledged with the next `flushAcks`. */
  ack(delivery: Delivery): void;
  /** Sends the acknowledgements of what was settled; once per batch. */
  flushAcks(): void;
  /**
   * Sends a delivery at once to where the broker keeps what it gives up on (`cdrs.dead`), to be settled there at its own
   * pace. It is no delivery in vain: nothing counts towards its delivery limit.
   */
  setAside(delivery: Delivery): void;
  /**
   * Asks for no more deliveries and keeps what is in hand (the broker's patience is 30 minutes): the first half of
   * a shutdown, or a pause until `resume`.
   */
  stopConsuming(): Promise<void>;
  /**
   * Gives everything in hand back to the broker, and takes no more until `resume`. Each message so returned
   * comes one step nearer to its delivery limit: once an outage, not more.
   */
  returnAll(): Promise<void>;
  /** Consumes again after `stopConsuming` or `returnAll`. */
  resume(): void;
  /** Acknowledges what is settled, makes sure that the broker has read it, and leaves for good. */
  close(): Promise<void>;
}
