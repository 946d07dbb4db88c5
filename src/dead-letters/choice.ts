import { type DeadReason, deadReasons } from '../domain/outcome.ts';
import { openStatuses } from '../domain/record.ts';
import type { DeadLetterFilter } from '../store/dead-letters/list.ts';
import type { Replayable } from '../store/dead-letters/mark.ts';
import { SelectionError } from './selection.ts';

/** Which of the selected dead letters a replay is about. */
export interface Choice {
  filter: DeadLetterFilter;
  /** Why a dead letter that was named is not among them, in one line; null where it is only beyond a limit. */
  whyNot: (row: Pick<Replayable, 'status' | 'reason' | 'verified'>) => string | null;
}

/** They came from somebody who may not submit calls: sent again only by an operator who says so. */
const FORGEABLE: readonly DeadReason[] = ['unauthenticated', 'forbidden'];

/** What a dead letter is said to need; a replay that leaves one out for it has not done all that was asked. */
export const NEEDS = 'needs';

/**
 * What a replay is about: open dead letters of verified senders, others only where the operator takes them on himself.
 * Throws SelectionError where the selection asks for dead letters that no replay sends.
 *
 * @param unverified whether dead letters whose sender nobody verified are replayed too
 */
export function chooseForReplay(filter: DeadLetterFilter, unverified: boolean): Choice {
  const closed = filter.statuses?.find((status) => !openStatuses.includes(status));
  if (closed !== undefined)
    throw new SelectionError(`status: a replay sends dead and replaying ones, not ${closed}`);
  const reasons = filter.reasons ?? deadReasons.filter((reason) => !FORGEABLE.includes(reason));
  return {
    filter: {
      ...filter,
      reasons,
      statuses: filter.statuses ?? openStatuses,
      ...(!unverified && { verified: true }),
    },
    whyNot: ({ status, reason, verified }) => {
      if (!openStatuses.includes(status)) return `is ${status}`;
      const needs = [
        ...(reasons.includes(reason) ? [] : [`its reason named: --reason ${reason}`]),
        ...(verified || unverified ? [] : ['--unverified: nobody verified who sent it']),
      ];
      return needs.length === 0 ? null : `${reason} ${NEEDS} ${needs.join(', and ')}`;
    },
  };
}
