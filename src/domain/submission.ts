import type { Call } from './decide.ts';
import type { Letter } from './dead-letter.ts';
import type { Outcome } from './outcome.ts';

/**
 * A call to settle; `letter` is what a dead letter keeps of the message, built only where one is written. Null: it is
 * kept already.
 */
export interface CallSubmission {
  verdict: { kind: 'call'; call: Call };
  letter: () => Letter | null;
  replay?: Replay;
}

/** A message that is answered already and only leaves its dead letter. */
export interface AnsweredSubmission {
  verdict: { kind: 'answer'; outcome: Outcome; validationOnly: boolean };
  letter: () => Letter | null;
  replay?: Replay;
}

/** The dead letter that a message claims to be a replay of; believed where the seal is found (domain/replay-header.ts). */
export interface Replay {
  /** Of the row, in digits: a 64-bit number. */
  letter: string;
  attempt: number;
  /** Hex. */
  seal: string;
}

/** One message on its way into a batch. */
export type Submission = CallSubmission | AnsweredSubmission;
