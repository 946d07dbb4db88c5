import { type Html, html } from '../html.ts';

/** The page of a stored call. Its uniqueid may be any text, so it stands in the query. */
export function callPath(uniqueid: string, page: '' | '/correct' | '/void' = ''): string {
  return `/call${page}?uniqueid=${encodeURIComponent(uniqueid)}`;
}

export function callLink(uniqueid: string): Html {
  return html`<a href="${callPath(uniqueid)}">${uniqueid}</a>`;
}

/** A customer by name and number, with a link to its calls. */
export function callsOfCustomer(id: number, name: string | null): Html {
  return html`<a href="/calls?customer=${id}">${name ?? `customer ${id}`}</a>${name !== null && ` (${id})`}`;
}
