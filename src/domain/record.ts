import type { Difference } from './cdr.ts';
import { type DeadReason, deadReasons, isParked, type Outcome } from './outcome.ts';
import type { ResponseEntry } from './reply.ts';

export const deadLetterStatuses = ['dead', 'replaying', 'resolved', 'discarded'] as const;
export type DeadLetterStatus = (typeof deadLetterStatuses)[number];
/** Neither stored nor discarded. Rows of a replay that was killed stay `replaying`. */
export const openStatuses: readonly DeadLetterStatus[] = ['dead', 'replaying'];

/** How the message of a dead letter was answered. */
export interface AnswerOnRecord {
  status: DeadLetterStatus;
  reason: DeadReason;
  responses: readonly Pick<ResponseEntry, 'code' | 'key' | 'message'>[];
  differences: readonly Difference[] | null;
  error: string | null;
}

/** The outcome of an earlier attempt, so that a second copy of its message gets the same reply. */
export function outcomeOnRecord(record: AnswerOnRecord): Outcome {
  const { status, reason, responses, differences, error } = record;
  if (status === 'resolved') return { kind: 'duplicate' };
  if (isParked(reason)) return { kind: 'failed', reason, error: error ?? '' };
  switch (reason) {
    case 'rejected':
      if (responses[0]?.code === '404') return { kind: 'unknown call' };
      return { kind: 'rejected', errors: responses };
    case 'conflict':
      return { kind: 'conflict', differences: differences ?? [] };
    default:
      return { kind: reason };
  }
}

export function isReason(text: string): text is DeadReason {
  return (deadReasons as readonly string[]).includes(text);
}

export function isStatus(text: string): text is DeadLetterStatus {
  return (deadLetterStatuses as readonly string[]).includes(text);
}
