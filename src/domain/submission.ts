import type { Call } from './decide.ts';
import type { Letter } from './letter.ts';
import type { Outcome } from './outcome.ts';

/** A call to settle; `letter` is what a dead letter keeps of the message, built only where one is written. */
export interface CallSubmission {
  verdict: { kind: 'call'; call: Call };
  letter: () => Letter;
}

/** A message that is answered already and only leaves its dead letter. */
export interface AnsweredSubmission {
  verdict: { kind: 'answer'; outcome: Outcome; validationOnly: boolean };
  letter: () => Letter;
}

/** One message on its way into a batch. */
export type Submission = CallSubmission | AnsweredSubmission;
