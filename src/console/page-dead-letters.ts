import { answerOf } from '../dead-letters/format.ts';
import type { DeadLetterSummary } from '../store/dead-letters/list.ts';
import { type Cursor, cursorText, type Sort, sorts } from '../store/dead-letters/sort.ts';
import { badge, type Column, empty, notice, pagination, table } from './components.ts';
import { filterForm } from './filter-form.ts';
import { type Html, html } from './html.ts';
import { actionBar, rowForm } from './list-actions.ts';
import { searchForm, totalsLine } from './list-parts.ts';
import type { ConsoleResponse } from './respond.ts';
import { type FilterText, OPEN_STATUSES, queryOf } from './selection.ts';
import type { Session } from './session.ts';
import type { Totals } from './totals.ts';
import { customerLink, money, timeAt } from './values.ts';

export interface ListPage {
  deadLetters: readonly DeadLetterSummary[];
  next: Cursor | undefined;
  /** Whether this is not the first page. */
  isLater: boolean;
  sort: Sort;
  filter: FilterText;
  totals: Totals;
  /** How many have just been opened again, to be said above the list; null if nobody came here from that. */
  reopened: string | null;
  systemCurrency: string;
}

/** Dead letters one by one, with what can be done with them. */
export function deadLettersPage(list: ListPage, session: Session): ConsoleResponse {
  const { deadLetters, next, isLater, sort, filter, totals, reopened } = list;
  const first = isLater ? pathOf(filter, sort) : undefined;
  return {
    kind: 'page',
    title: titleOf(filter),
    body: html`${reopened !== null && notice('done', html`<p>Opened again: ${reopened}.</p>`)}
${searchForm(filter.search)}
${filterForm(filter, sort)}
${totalsLine(totals, wordsOf(filter), exportLink(list))}
${
  deadLetters.length === 0
    ? empty(nothingIn(filter))
    : html`${session.role === 'operator' && actionBar({ filter, shown: deadLetters, totals, path: pathOf(filter, sort) }, session)}
${sortLinks(filter, sort)}
${table('Dead letters', columnsOf(list, session), deadLetters)}
${pagination(first, next === undefined ? undefined : pathOf(filter, sort, next))}`
}`,
  };
}

function exportLink({ deadLetters, filter, sort }: ListPage): Html | null {
  if (deadLetters.length === 0) return null;
  return html`<a href="${pathOf(filter, sort).replace('/list', '.csv')}" download>Export as CSV</a>`;
}

function pathOf(filter: FilterText, sort: Sort, after?: Cursor): string {
  const query = queryOf(filter);
  if (sort !== 'latest') query.set('sort', sort);
  if (after !== undefined) query.set('after', cursorText(after));
  return `/dead-letters/list?${query.toString()}`;
}

function titleOf({ reason, answer_key: key, search }: FilterText): string {
  if (search !== undefined) return `Dead letters: ${search}`;
  if (reason === undefined) return 'Dead letters';
  return `Dead letters: ${reason}${key ? `, ${key}` : ''}`;
}

/** What the totals are of. */
function wordsOf({ status = '', ...filter }: FilterText): string {
  const which = status === OPEN_STATUSES ? 'open' : status.replaceAll(',', ' or ');
  const isFiltered = Object.keys(filter).length > 0;
  return [which, isFiltered && 'in this selection'].filter((word) => word).join(' ') || 'in all';
}

function nothingIn(filter: FilterText): Html {
  const { status, ...rest } = filter;
  if (status === undefined)
    return html`There is none. <a href="/dead-letters">The problems that are open</a>`;
  return html`None is ${status === OPEN_STATUSES ? 'open' : status.replaceAll(',', ' or ')}.
<a href="/dead-letters/list?${queryOf({ ...rest }).toString()}&amp;status=">Look among all of them</a>`;
}

const SORT_NAMES: Readonly<Record<Sort, string>> = {
  latest: 'latest death first',
  oldest: 'oldest death first',
  cost: 'highest cost first',
  customer: 'by customer',
};

function sortLinks(filter: FilterText, sort: Sort): Html {
  return html`<nav class="sorts" aria-label="Order of the list"><span>Order:</span>${sorts.map(
    (name) =>
      html` <a href="${pathOf(filter, name)}" ${name === sort && html`aria-current="true"`}>${SORT_NAMES[name]}</a>`,
  )}</nav>`;
}

function columnsOf({ filter, systemCurrency }: ListPage, session: Session): Column<DeadLetterSummary>[] {
  const tick: Column<DeadLetterSummary> = {
    name: 'choose',
    kind: 'tick',
    of: ({ id }) =>
      html`<input type="checkbox" name="tick" value="${id}" form="${rowForm}" aria-label="Choose dead letter ${id}">`,
  };
  return [
    ...(session.role === 'operator' ? [tick] : []),
    { name: 'id', of: ({ id }) => html`<a href="/dead-letters/${id}">${id}</a>` },
    { name: 'last died (UTC)', of: ({ last_dead_at }) => timeAt(last_dead_at) },
    // Where nearly all are dead, only the others are worth a word.
    {
      name: 'reason',
      of: ({ reason, status }) =>
        html`${reason} ${(filter.status !== OPEN_STATUSES || status !== 'dead') && badge(status)}`,
    },
    { name: 'uniqueid', kind: 'text', of: ({ uniqueid }) => uniqueid },
    { name: 'customer', of: ({ scustomer, customer_name }) => customerLink(scustomer, customer_name) },
    { name: 'machine', kind: 'text', isWide: true, of: ({ machine }) => machine },
    { name: 'source', isWide: true, of: ({ source }) => source },
    { name: 'reply', kind: 'text', of: replyOf },
    { name: 'cost', kind: 'number', of: (deadLetter) => costOf(deadLetter, systemCurrency) },
    { name: 'deaths', kind: 'number', isWide: true, of: ({ deaths }) => deaths },
  ];
}

function replyOf(deadLetter: DeadLetterSummary): Html {
  const { routing_key } = deadLetter;
  return html`${answerOf(deadLetter)}${routing_key !== null && html`, sent to <code>${routing_key}</code>`}`;
}

/** The cost of a call of an unknown sender is only what somebody says. */
function costOf({ cost, currency, verified }: DeadLetterSummary, systemCurrency: string): Html {
  return html`${money(cost, currency, systemCurrency)}${cost !== null && !verified && html`<br><small>sender unknown</small>`}`;
}
