import type { PersistResult } from '../domain/held.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { Submission } from '../domain/submission.ts';
import type { Request } from './request.ts';

/** A message in hand: a delivery, which is whatever the broker's side made of it, and what it was admitted as. */
export interface Message<Delivery extends Request> {
  readonly delivery: Delivery;
  submission: Submission;
}

/** Works in the context of a request, if instrumentation follows it. What is done for several is done in that of the first. */
export function inContextOf<Result>(request: Request | undefined, work: () => Result): Result {
  return request?.inContext === undefined ? work() : request.inContext(work);
}

/** Persists a batch that has been prepared. Atomic and idempotent; rejects with what the database throws. */
export type Persist = () => Promise<PersistResult[]>;

/** No transaction takes the message, nor a dead letter of it in any form. It stays in hand. */
export interface Unkeepable {
  kind: 'unkeepable';
  why: string;
}

/** What each message of a batch came to; one that is missing is to be tried again. */
export type Results<Delivery extends Request> = Map<Message<Delivery>, PersistResult | Unkeepable>;

/** What a batch came to: an outcome for each of its messages, in their order, or something else for some of them. */
export type BatchResult<Delivery extends Request> =
  | { kind: 'all'; outcomes: Outcome[] }
  | { kind: 'some'; results: Results<Delivery> };

export interface BatchLimits {
  /** Messages that one transaction takes at most. */
  batchSize: number;
  /** Bytes of their bodies at most; a larger message is persisted alone. */
  batchBytes: number;
}

/** A switch's record is several times as large as the call that is made and stored of it. */
const OF_A_RECORD = 1 / 8;

/** How many of these, from the first one on, one transaction takes. */
export function countFitting(
  messages: readonly { delivery: Request; submission: Pick<Submission, 'kind' | 'source'> }[],
  { batchSize, batchBytes }: BatchLimits,
): number {
  const most = Math.min(messages.length, batchSize);
  let bytes = 0;
  for (let count = 0; count < most; count += 1) {
    const message = messages[count];
    if (message !== undefined) bytes += bytesOf(message);
    if (bytes > batchBytes) return Math.max(1, count);
  }
  return most;
}

/** What persisting a message takes: a dead letter keeps its body whole. */
function bytesOf({ delivery, submission }: Parameters<typeof countFitting>[0][number]): number {
  const { length } = delivery.body;
  return submission.kind === 'call' && submission.source !== undefined ? length * OF_A_RECORD : length;
}
