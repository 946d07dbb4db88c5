import { hash } from 'node:crypto';
import { taxSet } from './cdr.ts';
import type { Confinement } from './confinement.ts';
import { type Changes, type CorrectionParameters, changeNames } from './correction-contract.ts';
import { REVERSAL } from './entry.ts';
import type { Operation } from './operation.ts';

/** What a message may ask for a stored call. */
export type CorrectingOperation = Exclude<Operation, 'create'>;

/** A correction that passed its contract, from somebody who may correct calls. */
export interface Correction {
  operation: CorrectingOperation;
  /** Its message_id, which becomes the id of its entry. */
  id: string;
  uniqueid: string;
  changes: Changes;
  /** SHA-256 (hex) of what it says. */
  fingerprint: string;
  /** The user whose message it is, or the operator. */
  bookedBy: string;
  why: string | null;
  /** Of its sender; those of operators have none. */
  confinement?: Confinement | null;
  /** Of an operator's order: the entry that was in force when it was asked for, '' for the call itself. */
  expected?: string;
}

const ID_MAX = 255;
/** Controls, lone surrogates, and what stands in place of bytes that were no text. */
const UNCLEAN = /[\p{Cc}\p{Cs}\uFFFD]/u;

/** The id of an entry whose message has no fit one, and that an operator replays: its dead letter's. */
export function entryIdOfLetter(deadLetter: string): string {
  return `dead-letter-${deadLetter}`;
}

const ID_OF_LETTER = /^dead-letter-\d+$/;

/** Why no sender may give its correction this id, null if it may: somebody would find it taken. */
export function problemOfOwnId(messageId: string | null): string | null {
  return messageId !== null && ID_OF_LETTER.test(messageId)
    ? 'expected a message_id of another form: dead-letter-N is the id of what an operator replays'
    : problemOfId(messageId);
}

/** Why a message_id cannot be the id of an entry, null if it can. */
export function problemOfId(messageId: string | null): string | null {
  if (messageId === null || messageId === '')
    return 'required: expected the property message_id, by which the same correction is told when it comes again';
  if (UNCLEAN.test(messageId) || [...messageId].length > ID_MAX)
    return `expected a message_id of 1 to ${ID_MAX} characters, no control characters`;
  return messageId.endsWith(REVERSAL) ? `expected a message_id that does not end with ${REVERSAL}` : null;
}

/** Stands in front of what is hashed; raised when the way of computing changes. */
const FINGERPRINT_VERSION = 1;

/** SHA-256 (hex) of what a correction says, however it was written: the same message again has the same one. */
export function correctionFingerprint(
  operation: CorrectingOperation,
  { uniqueid, changes }: CorrectionParameters,
): string {
  const content: unknown[] = [FINGERPRINT_VERSION, operation, uniqueid];
  for (const name of changeNames) {
    const value = changes[name];
    if (value !== null) content.push(name, name === 'taxes' ? taxSet(String(value)) : value);
  }
  return hash('sha256', JSON.stringify(content), 'hex');
}

/** Whether what a call costs, or whom, changes. */
export function movesMoney({ cost, currency, taxes, customer }: Changes): boolean {
  return cost !== null || currency !== null || taxes !== null || customer !== null;
}
