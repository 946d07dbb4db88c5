import type { CallFilterText } from '../../calls/filter.ts';
import type { CallCursor } from '../../store/calls/find.ts';
import type { CallRow } from '../../store/calls/row.ts';
import { type Column, empty, notice, pagination, table } from '../components.ts';
import { type Html, html } from '../html.ts';
import type { ConsoleResponse } from '../respond.ts';
import { money, timeAt } from '../values.ts';
import { callLink, callsOfCustomer } from './links.ts';
import { callSearch, callsPath } from './search.ts';

export interface CallsPage {
  filter: CallFilterText;
  found: { calls: readonly CallRow[]; next: CallCursor | undefined } | null;
  /** Whether this is not the first page. */
  isLater: boolean;
  /** Why there was no search. */
  problem: string | null;
}

/** Stored calls: the search, and what it has found. */
export function callsPage({ filter, found, isLater, problem }: CallsPage): ConsoleResponse {
  return {
    kind: 'page',
    title: 'Calls',
    ...(problem !== null && { status: 400 }),
    body: html`${problem !== null && notice('problem', html`<p>${problem}</p>`)}
${callSearch(filter, found !== null && found.calls.length > 0)}
${found === null ? problem === null && hint : listOf(found, filter, isLater)}`,
  };
}

const hint = html`<p class="muted">Stored calls, and what was charged for them. Give a uniqueid, a callid, a customer, an invoice or a span of time; all that is given must match. Times are UTC: <code>7d</code>, <code>2h</code>, or as <code>2026-11-25T08:00</code>.</p>`;

function listOf(
  { calls, next }: NonNullable<CallsPage['found']>,
  filter: CallFilterText,
  isLater: boolean,
): Html {
  const pages = pagination(
    isLater ? callsPath(filter) : undefined,
    next === undefined ? undefined : callsPath(filter, next),
  );
  if (calls.length === 0) return html`${empty(nothingFound(filter))}${pages}`;
  return html`${table('Stored calls', COLUMNS, calls)}${pages}`;
}

/** What was refused is no stored call. */
function nothingFound({ uniqueid, number, callid }: CallFilterText): Html {
  const search = uniqueid ?? callid ?? number;
  const query = new URLSearchParams({ ...(search !== undefined && { search }), status: '' });
  return html`No stored call matches. A call that was refused is a dead letter:
<a href="/dead-letters/list?${query.toString()}">look among them</a>.`;
}

const COLUMNS: readonly Column<CallRow>[] = [
  {
    name: 'uniqueid',
    kind: 'head',
    of: ({ uniqueid }) => html`<span class="id">${callLink(uniqueid)}</span>`,
  },
  { name: 'start (UTC)', of: ({ start }) => timeAt(start) },
  { name: 'customer', of: ({ scustomer, customer_name }) => callsOfCustomer(scustomer, customer_name) },
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
function invoiceOf({ invoice, update_invoices }: CallRow): Html | number | null {
  return invoice ?? (update_invoices === 1 ? html`<span class="muted">none</span>` : null);
}
