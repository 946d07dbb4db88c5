import type { CorrectingOperation, Correction } from './correction.ts';
import type { DeadLetter } from './dead-letter.ts';
import type { Call } from './decide.ts';
import type { Outcome } from './outcome.ts';

/** A message that has been admitted: a call to persist, a correction to book, or a message whose outcome is known already. */
export type Submission = CallSubmission | CorrectionSubmission | DecidedSubmission;

/** A record that its feed's rules leave out: it is counted and acknowledged, and nobody is answered. */
export interface Skipped {
  kind: 'skipped';
  /** Its feed. */
  source: string;
  /** By the feed's own counter. */
  sequence: bigint | null;
}

interface Admission {
  /** Of the call, for the reply; null where it could not be read. */
  uniqueid: string | null;
  /** What a dead letter keeps of the message, built only where one is written. Null: one keeps it already. */
  deadLetter: () => DeadLetter | null;
  /** Only of replays. */
  replay?: Replay;
  /** Only of corrections that operators have ordered. */
  order?: OrderToken;
  /** The feed that it came by; none for a message that speaks the contract. */
  source?: string;
  /** By the counter of that feed; null where there is none, or its number cannot be read. */
  sequence?: bigint | null;
  /** The verified user who sent a message that speaks the contract; none of replays. */
  sender?: string;
  /** Texts of the call in which characters were replaced or that were cut. */
  cleaned: number;
}

/** A call that passed the contract, from a sender who may submit it. */
export interface CallSubmission extends Admission {
  kind: 'call';
  call: Call;
  /** Of a feed: its time occurs twice that night, and nothing said which of both it is. */
  isTimeGuessed?: boolean;
}

/** A correction that passed its contract, from a sender who may correct calls. */
export interface CorrectionSubmission extends Admission {
  kind: 'correction';
  correction: Correction;
  /** The rows that it moves, once they are known: whoever asks next who holds them sees them here. */
  moves?: MovedRows;
  /** It came behind another correction of its call in one batch, and is refused however often that batch is tried. */
  isBehind?: boolean;
}

/** Customers and invoices by id. */
export interface MovedRows {
  customers: readonly number[];
  invoices: readonly number[];
}

/** A message that needs nothing of the database but a dead letter, where its outcome leaves one. */
export interface DecidedSubmission extends Admission {
  kind: 'decided';
  outcome: Outcome;
  /** validation=1: the sender only asks. */
  validationOnly: boolean;
  /** The correction that it was, where its outcome was decided without looking at it. */
  correction?: Correction;
}

/** The dead letter that a message claims to replay; believed where the hash of its one-time token is found. */
export interface Replay {
  /** Id of the row, in digits: a 64-bit number. */
  deadLetter: string;
  attempt: number;
  /** Hex. */
  tokenHash: string;
}

/** The id of the entry that a correction becomes; null for everything else. */
export function entryIdOf(submission: Submission): string | null {
  return submission.kind === 'correction' ? submission.correction.id : null;
}

/** validation=1: the sender only asks. Corrections never do. */
export function isValidationOnly(submission: Submission): boolean {
  switch (submission.kind) {
    case 'call':
      return submission.call.validationOnly;
    case 'decided':
      return submission.validationOnly;
    case 'correction':
      return false;
    default:
      return submission satisfies never;
  }
}

/** The order of an operator that a message claims to belong to; believed where the hash of its one-time token is found. */
export interface OrderToken {
  id: string;
  operation: CorrectingOperation;
  /** Hex. */
  tokenHash: string;
}

/** A message whose outcome is known, with what its reply and its dead letter need. */
export function asDecided(
  outcome: Outcome,
  message: Pick<Submission, 'uniqueid' | 'deadLetter'> &
    Partial<Pick<Submission, 'replay' | 'order' | 'cleaned'> & Pick<CorrectionSubmission, 'correction'>>,
): DecidedSubmission {
  const { uniqueid, deadLetter, replay, order, correction, cleaned = 0 } = message;
  const submission: DecidedSubmission = {
    kind: 'decided',
    outcome,
    validationOnly: false,
    uniqueid,
    deadLetter,
    cleaned,
    ...(correction && { correction }),
  };
  return {
    ...submission,
    ...(replay !== undefined && { replay }),
    ...(order !== undefined && { order }),
  };
}
