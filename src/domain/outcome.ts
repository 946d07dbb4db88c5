import type { Bill, ChargedCall } from './bill.ts';
import type { Difference } from './cdr.ts';
import type { ParameterError } from './validate.ts';

/** What became of a message. Each one decides the reply, the dead letter and the metric; nothing else does. */
export type Outcome =
  | { kind: 'accepted'; stored: ChargedCall }
  /** `bill`: of the call as it is stored, none where it has been pruned; of a correction that of its entry. */
  | { kind: 'duplicate'; bill?: Bill; reversed?: Bill }
  /** A correction: `bill` is of its entry, for an update of the new one; `reversed` of the entry that it took back first. */
  | { kind: 'booked'; bill: Bill; reversed?: Bill }
  | { kind: 'validated' }
  | { kind: 'rejected'; errors: readonly ParameterError[] }
  /** A correction of a call that is not stored, and may yet come. */
  | { kind: 'unknown call' }
  | { kind: 'unauthenticated' }
  /** A replay of a dead letter that was sent again since: the newer attempt counts, and answers the sender. */
  | { kind: 'superseded' }
  /** `isOutside`: of a machine or customer that its sender is not confined to; else its role is another one. */
  | { kind: 'forbidden'; isOutside?: true }
  /** `isForeign`: what is stored is none of the calls that its sender is confined to, so nothing of it is told. */
  | { kind: 'conflict'; differences: readonly Difference[]; isForeign?: true }
  /** `waitsFor` is the row whose holder kept the call from being stored: it is tried again when that is free. */
  | { kind: 'failed'; reason: ParkedReason; error: string; waitsFor?: string };

/** The codes of replies (docs/interface.md, section 3). */
export const codes = ['201', '204', '400', '401', '402', '404'] as const;
export type Code = (typeof codes)[number];

/** The codes that a dead letter may have been answered with. */
export const refusalCodes: readonly Code[] = codes.filter((code) => !code.startsWith('2'));

/**
 * Why a message is kept as a dead letter (docs/interface.md, section 6), and what that means for it:
 * `refused`: its sender was told what is wrong with it;
 * `forgeable`: whoever sent it may not submit calls, so a replay takes it only if an operator names the reason;
 * `parked`: its sender cannot fix it, so it waits for an operator.
 */
const reasons = {
  rejected: 'refused',
  unauthenticated: 'forgeable',
  forbidden: 'forgeable',
  conflict: 'refused',
  failed: 'parked',
  poison: 'parked',
  unroutable: 'parked',
} as const satisfies Record<string, 'refused' | 'forgeable' | 'parked'> & NeverParked;

/** A second copy of a parked message is answered as `failed` (outcomeOnRecord): no other kind may be a parked reason. */
type NeverParked = { [Kind in Exclude<Outcome['kind'], 'failed'>]?: 'refused' | 'forgeable' };

export type DeadReason = keyof typeof reasons;
export type ParkedReason = {
  [Reason in DeadReason]: (typeof reasons)[Reason] extends 'parked' ? Reason : never;
}[DeadReason];

export const deadReasons = Object.keys(reasons) as readonly DeadReason[];
export const parkedReasons: readonly ParkedReason[] = deadReasons.filter(isParked);

export function isParked(reason: DeadReason): reason is ParkedReason {
  return reasons[reason] === 'parked';
}

/** Whether a dead letter came from somebody who may not submit calls. */
export function isForgeable(reason: DeadReason): boolean {
  return reasons[reason] === 'forgeable';
}

/** Whether the call of a message is stored, or its correction booked, by it or before. */
export function isStored({ kind }: Pick<Outcome, 'kind'>): boolean {
  return isFirst({ kind }) || kind === 'duplicate';
}

/** Whether it is this message that stored the call or booked the correction. */
export function isFirst({ kind }: Pick<Outcome, 'kind'>): boolean {
  return kind === 'accepted' || kind === 'booked';
}

/** The code of the reply (docs/interface.md, section 3). */
export function codeOf(outcome: Outcome): Code {
  switch (outcome.kind) {
    case 'accepted':
    case 'booked':
    case 'duplicate':
      return '204';
    case 'validated':
      return '201';
    case 'rejected':
    case 'conflict':
    case 'failed':
      return '400';
    case 'unauthenticated':
    case 'superseded':
      return '401';
    case 'forbidden':
      return '402';
    case 'unknown call':
      return '404';
    default:
      return outcome satisfies never;
  }
}

/**
 * Why the message is kept as a dead letter, null if it is not. A refused question (`validation=1`) leaves
 * nothing behind; one without valid credentials is kept all the same, because nothing in it can be believed.
 */
export function deadReasonOf(outcome: Outcome, validationOnly: boolean): DeadReason | null {
  switch (outcome.kind) {
    case 'accepted':
    case 'booked':
    case 'duplicate':
    case 'validated':
    case 'superseded':
      return null;
    case 'unknown call':
      return 'rejected';
    case 'rejected':
    case 'conflict':
      return validationOnly ? null : outcome.kind;
    case 'unauthenticated':
    case 'forbidden':
      return outcome.kind;
    case 'failed':
      return outcome.reason;
    default:
      return outcome satisfies never;
  }
}
