import { entryIdOf, type Submission } from '../../domain/submission.ts';

/**
 * SQL that is true if a call of this uniqueid is stored, or was and has been pruned. No statement says `resolved` without
 * it: whatever goes wrong in a worker, a dead letter whose call is not stored stays open. A constraint could not say it:
 * a row does not know under which uniqueid its call is stored, which corrections and the map of a feed decide. One by one
 * (`limit`), for the same reason as in persist/look-up.ts.
 */
export const isKnownCall = (uniqueid: string) =>
  `coalesce((select true from known_calls k where k.uniqueid = ${uniqueid} limit 1), false)`;

/** The same of a correction: its entry is booked. */
export const isKnownEntry = (entry: string) => `exists (select from corrections where id = ${entry})`;

/**
 * The same of whatever a message asked for.
 *
 * @param operation of its dead letter
 */
export const isDone = (operation: string, { uniqueid, entry }: { uniqueid: string; entry: string }) =>
  `case ${operation} when 'create' then ${isKnownCall(uniqueid)} else ${isKnownEntry(entry)} end`;

/** What proves that what a message asked for is done: the uniqueid of a call, and of a correction the id of its entry. */
export interface Proof {
  uniqueid: string | null;
  /** Null of a call. */
  entry: string | null;
}

export function proofOf(submission: Submission): Proof {
  return { uniqueid: submission.uniqueid, entry: entryIdOf(submission) };
}
