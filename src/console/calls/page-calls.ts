import type { ListedCall } from '../../calls/listed.ts';
import type { CallCursor } from '../../store/calls/find.ts';
import type { Near } from '../../store/calls/near.ts';
import { type Column, empty, notice, pagination, table } from '../components.ts';
import { type Html, html } from '../html.ts';
import type { ConsoleResponse } from '../respond.ts';
import { money, timeAt } from '../values.ts';
import { callLink, callsOfCustomer } from './links.ts';
import { nearParts } from './near-parts.ts';
import { type CallSearch, callSearch, callsPath } from './search.ts';

export interface CallsPage {
  filter: CallSearch;
  found: { calls: readonly ListedCall[]; next: CallCursor | undefined } | null;
  /** What may have been meant, where a uniqueid was looked for and is not stored. */
  near: Near | null;
  /** Whether this is not the first page. */
  isLater: boolean;
  /** Why there was no search. */
  problem: string | null;
}

/** Stored calls: the search, and what it has found. */
export function callsPage(page: CallsPage): ConsoleResponse {
  const { filter, found, problem } = page;
  return {
    kind: 'page',
    title: 'Calls',
    ...(problem !== null && { status: 400 }),
    body: html`${problem !== null && notice('problem', html`<p>${problem}</p>`)}
${callSearch(filter, found !== null && found.calls.length > 0)}
${found === null ? problem === null && hint : listOf(found, page)}`,
  };
}

const hint = html`<p class="muted">Stored calls, and what was charged for them. Give a uniqueid, a callid, a customer, an invoice or a span of time; all that is given must match. Times are UTC: <code>7d</code>, <code>2h</code>, or as <code>2026-11-25T08:00</code>.</p>`;

function listOf(
  { calls, next }: NonNullable<CallsPage['found']>,
  { filter, near, isLater }: CallsPage,
): Html {
  const pages = pagination(
    isLater ? callsPath(filter) : undefined,
    next === undefined ? undefined : callsPath(filter, next),
  );
  if (calls.length === 0)
    return html`${empty(nothingFound(filter))}${near !== null && nearParts(near)}${pages}`;
  return html`${table('Stored calls', COLUMNS, calls)}${pages}`;
}

/** What was refused is no stored call. */
function nothingFound({ uniqueid, number, callid }: CallSearch): Html {
  const search = uniqueid ?? callid ?? number;
  const query = new URLSearchParams({ ...(search !== undefined && { search }), status: '' });
  return html`No stored call matches. A call that was refused is a dead letter:
<a href="/dead-letters/list?${query.toString()}">look among them</a>.`;
}

const COLUMNS: readonly Column<ListedCall>[] = [
  {
    name: 'uniqueid',
    kind: 'head',
    of: ({ uniqueid, voided, corrections }) =>
      html`<span class="id">${callLink(uniqueid)}</span>${corrections > 0 && html` <span class="badge">${voided ? 'voided' : 'corrected'}</span>`}`,
  },
  { name: 'start (UTC)', of: ({ start }) => timeAt(start) },
  {
    name: 'customer',
    of: ({ customer, customer_name }) => callsOfCustomer(customer, customer_name),
  },
  { name: 'from', kind: 'text', of: ({ snumber }) => snumber },
  { name: 'called', kind: 'text', of: ({ cnumber, dnumber }) => cnumber || dnumber },
  { name: 'machine', kind: 'text', isWide: true, of: ({ machine }) => machine },
  { name: 'seconds', kind: 'number', isWide: true, of: ({ talktime }) => talktime },
  {
    name: 'charged',
    kind: 'number',
    of: ({ charged, customer_currency }) => money(charged, customer_currency, customer_currency),
  },
  { name: 'invoice', kind: 'number', of: invoiceOf },
];

/** One that should be on an invoice and is on none is worth a word. */
function invoiceOf({ invoice, late }: ListedCall): Html | number | null {
  return late ? html`<span class="badge warning">late</span>` : invoice;
}
