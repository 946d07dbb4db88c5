import type { DeadLetter } from './dead-letter.ts';
import type { Call } from './decide.ts';
import type { Outcome } from './outcome.ts';

/**
 * A call to persist; `dead letter` is what a dead letter keeps of the message, built only where one is written. Null: it is
 * kept already.
 */
export interface CallSubmission {
  verdict: { kind: 'call'; call: Call };
  deadLetter: () => DeadLetter | null;
  replay?: Replay;
}

/** A message that is answered already and only leaves its dead letter. */
export interface AnsweredSubmission {
  verdict: { kind: 'answer'; outcome: Outcome; validationOnly: boolean };
  deadLetter: () => DeadLetter | null;
  replay?: Replay;
}

/** The dead letter that a message claims to be a replay of; believed where the token hash is found (domain/replay-header.ts). */
export interface Replay {
  /** Of the row, in digits: a 64-bit number. */
  deadLetter: string;
  attempt: number;
  /** Hex. */
  tokenHash: string;
}

/** One message on its way into a batch. */
export type Submission = CallSubmission | AnsweredSubmission;
