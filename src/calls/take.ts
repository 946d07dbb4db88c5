import type { DeadLetterView } from '../dead-letters/history.ts';
import { taxSet } from '../domain/cdr.ts';
import { changeOf, parameterOf } from '../domain/changeable.ts';
import { type ChangeName, changeNames } from '../domain/correction-contract.ts';
import type { CallChange } from './change.ts';
import type { InForce } from './in-force.ts';

/** The values of a conflict that a correction would take. */
export type Taken =
  | {
      kind: 'taken';
      change: CallChange;
      /** Where the calls differ and no correction changes the stored one: these stay as they are. */
      staying: string[];
      /** Its sender's credentials were looked at and right. */
      verified: boolean;
    }
  | { kind: 'refused'; why: string };

/** What of a conflict differs from the stored call as it stands. */
export function valuesToTake(view: DeadLetterView, uniqueid: string, inForce: InForce): Taken {
  const { deadLetter, stored, differences } = view;
  const { id, status, reason, edits, verified } = deadLetter;
  const refused = (why: string): Taken => ({ kind: 'refused', why: `dead letter ${id} ${why}` });
  if (reason !== 'conflict') return refused(`is no conflict: its reason is ${reason}`);
  if (status !== 'dead') return refused(`is ${status}: there is nothing to decide`);
  if ((edits.uniqueid ?? deadLetter.uniqueid) !== uniqueid || stored === null)
    return refused('has another uniqueid than this call');
  const received = new Map(differences.map((one) => [one.parameter as string, one.received]));
  const change: Partial<Record<ChangeName, string>> = {};
  for (const name of changeNames) {
    const parameter = parameterOf(name);
    const value = String(received.get(parameter) ?? stored.call[parameter]);
    const now = String(inForce[parameter]);
    const isSame = name === 'taxes' ? taxSet(value) === taxSet(now) : value === now;
    if (!isSame) change[name] = value;
  }
  const staying = [...received.keys()].filter((name) => changeOf(name) === undefined);
  if (Object.keys(change).length > 0) return { kind: 'taken', change, staying, verified };
  return refused(
    staying.length === 0
      ? 'says the same as the call by now'
      : `differs only in what no correction changes: ${staying.join(', ')}`,
  );
}
