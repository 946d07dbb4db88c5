import { shown } from '../domain/text.ts';
import type { Near } from '../store/calls/near.ts';

/** In one line: that nothing is stored under a uniqueid, and what may have been meant. */
export function unknownCall(uniqueid: string, { deadLetters, ofCallid, alike }: Near): string {
  const list = (uniqueids: readonly string[]) => uniqueids.map(shown).join(', ');
  return [
    `there is no stored call ${shown(uniqueid)}`,
    ...deadLetters.map(
      ({ id, reason, status }) =>
        `dead letter ${id} (${reason}, ${status}) has it: cdr-ingest dead show ${id}`,
    ),
    ...(ofCallid.length === 0 ? [] : [`it is the callid of ${list(ofCallid)}`]),
    ...(alike.length === 0 ? [] : [`a similar uniqueid is ${list(alike)}`]),
  ].join('; ');
}
