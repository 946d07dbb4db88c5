import { type DeadReason, deadReasons } from '../domain/outcome.ts';
import { type LetterStatus, openStatuses } from '../domain/record.ts';
import type { LetterFilter } from '../store/letters.ts';
import { SelectionError } from './selection.ts';

/** Which of the selected letters a replay is about. */
export interface Choice {
  filter: LetterFilter;
  open: readonly LetterStatus[];
}

/** Nobody vouches for who sent them: sent again only by an operator who says so. */
const FORGEABLE: readonly DeadReason[] = ['unauthenticated', 'forbidden'];

/** Throws SelectionError where the selection asks for letters that no replay sends. */
export function chooseForReplay(filter: LetterFilter): Choice {
  const closed = filter.statuses?.find((status) => !openStatuses.includes(status));
  if (closed !== undefined)
    throw new SelectionError(`status: a replay sends dead and replaying ones, not ${closed}`);
  const reasons = filter.reasons ?? deadReasons.filter((reason) => !FORGEABLE.includes(reason));
  return { filter: { ...filter, reasons, statuses: filter.statuses ?? openStatuses }, open: openStatuses };
}
