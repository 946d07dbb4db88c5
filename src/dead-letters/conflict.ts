import { changeOf } from '../domain/changeable.ts';
import type { DeadLetterView } from './history.ts';

type Conflict = Pick<DeadLetterView, 'deadLetter' | 'stored' | 'differences'>;

/** Whether it differs from the call that is stored under its uniqueid: its own steps say how to close it. */
export function isConflict({ deadLetter: { reason }, stored, differences }: Conflict): boolean {
  return reason === 'conflict' && (stored === null || differences.length > 0);
}

/** Whether the stored call can be given values of this conflict. */
export function mayTakeValues({ deadLetter, stored, differences }: Conflict): boolean {
  const { reason, status } = deadLetter;
  const isOpen = reason === 'conflict' && status === 'dead' && stored !== null;
  return isOpen && differences.some(({ parameter }) => changeOf(parameter) !== undefined);
}

/** A uniqueid is chosen by its switch: only a plain one may stand in a command that somebody copies into a shell. */
const PLAIN_UNIQUEID = /^\w[\w.:@/+-]{0,254}$/;

/** The command that does that, in words. */
export function takeStep({ deadLetter, differences }: Conflict): string {
  const { id, edits } = deadLetter;
  const uniqueid = edits.uniqueid ?? deadLetter.uniqueid ?? '';
  const names = differences.map(({ parameter }) => parameter);
  const staying = names.filter((name) => changeOf(name) === undefined);
  const rest = staying.length === 0 ? '' : ` (not ${staying.join(', ')})`;
  return `If this one is right, the stored call takes its values${rest}, which resolves it: call correct ${PLAIN_UNIQUEID.test(uniqueid) ? uniqueid : 'UNIQUEID'} --take ${id} --why "…"`;
}
