import type { SetAside } from '../auth/verifier.ts';
import type { InContext } from '../broker/followed-messages.ts';
import type { Taking } from '../broker/others-exchange.ts';
import type { BilledMessage } from '../domain/billed-message.ts';
import type { Manner } from '../domain/held.ts';
import type { Skipped, Submission } from '../domain/submission.ts';
import type { FailureKind } from '../store/failures.ts';
import type { HeldRows } from '../store/persist/held-rows.ts';
import type { Persist } from './batch.ts';
import type { PipelineEvent } from './pipeline-events.ts';

/** What a failure says that may pass. */
export type PassingFailure = Exclude<FailureKind, 'message'>;

/** A reply ready to be published. */
export interface Reply {
  exchange: string;
  routingKey: string;
  mandatory: boolean;
  /** Through RabbitMQ's direct reply-to, which a hostile token turns into the loss of the whole connection. */
  direct: boolean;
  /** Whether its call was accepted: of replies that must wait for each other these go first. */
  accepted: boolean;
  body: Buffer;
  /** As bytes where they came as bytes that are not UTF-8. */
  correlationId: string | Buffer;
  headers: Record<string, string | number | boolean | Buffer>;
  /** Of the message that it answers. */
  inContext?: InContext;
}

/** What the broker said of one reply. */
export type Published = 'confirmed' | 'returned' | 'failed';

/** What becomes of a delivery first. */
export type Arrival = Submission | SetAside | Skipped;

/** The outside world as a pipeline sees it: `queue-worker.ts` and `consumers.ts` have the real one, test/simulation a hostile one. */
export interface Ports<Delivery> {
  /**
   * Decodes, parses or maps, and authenticates (`admission.ts`, `feed-admission.ts`); later where a password must be
   * hashed or a user read. Must not throw, since that ends the pipeline: a message that is wrong is refused.
   */
  admit: (delivery: Delivery) => Arrival | Promise<Arrival>;
  /**
   * Begins to look up what a batch refers to (`store/persist/read-ahead.ts`), and returns what persists it: around rows
   * that others hold (`around-locks.ts`), replays first (`replays.ts`), in `persist.ts`.
   */
  prepare: (submissions: readonly Submission[], manner?: Manner) => Persist;
  /** Publishes replies and waits for the broker's confirms (`reply-publisher.ts`). */
  publish: (replies: readonly Reply[]) => Promise<Published[]>;
  /** Publishes what calls were charged and waits for the confirms (`billed.ts`); missing where nobody is to be told. */
  publishBilled?: ((messages: readonly BilledMessage[]) => Promise<Taking[]>) | undefined;
  /** Replies that may take longer than others, which do not wait for them. */
  isSlow?: (reply: Reply) => boolean;
  /** Acknowledges at the broker (`broker/consumer.ts`). */
  acknowledge: (deliveries: readonly Delivery[]) => void;
  /** Sends a delivery away to cdrs.dead, where it is persisted later. */
  setAside: (delivery: Delivery) => void;
  /** Whether an acknowledgement could still reach the broker; if not, the message comes again. */
  isLive: (delivery: Delivery) => boolean;
  /** What of the database is held or refused, and left out of batches. */
  rows: Pick<HeldRows, 'isHeld' | 'isRefused' | 'refuse' | 'free'>;
  /** Waits a moment, then asks which locked rows are free. Never rejects. */
  look: () => Promise<void>;
  /** Whether the database can be used, although that error says that it cannot. Never rejects. */
  isWell: (error: unknown) => Promise<boolean>;
  /** Waits before another try. */
  pause: (cause: PassingFailure | 'broker' | 'billed', attempt: number) => Promise<void>;
  /** Monotonic milliseconds. */
  now: () => number;
  /** Counts and logs (`pipeline-events.ts`). */
  observe: (event: PipelineEvent) => void;
}
