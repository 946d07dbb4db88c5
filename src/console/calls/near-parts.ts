import { counted } from '../../plural.ts';
import type { Near } from '../../store/calls/near.ts';
import { badge } from '../components.ts';
import { type Html, html } from '../html.ts';
import { callLink } from './links.ts';

/** What may have been meant by a uniqueid that is not stored. */
export function nearParts({ deadLetters, ofCallid, alike }: Near): Html | false {
  if (deadLetters.length + ofCallid.length + alike.length === 0) return false;
  return html`<ul>${deadLetters.map(
    ({ id, reason, status }) =>
      html`<li><a href="/dead-letters/${id}">Dead letter ${id}</a> has it: ${reason} ${badge(status)}</li>`,
  )}
${ofCallid.length > 0 && html`<li>It is the callid of ${counted(ofCallid.length, 'stored call')}: ${linked(ofCallid)}</li>`}
${alike.length > 0 && html`<li>Similar: ${linked(alike)}</li>`}</ul>`;
}

function linked(uniqueids: readonly string[]): Html[] {
  return uniqueids.map((uniqueid, index) => html`${index > 0 && ', '}${callLink(uniqueid)}`);
}
