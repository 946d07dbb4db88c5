import { counted } from '../plural.ts';
import type { Money } from '../store/dead-letters/list.ts';
import { fieldValue, type Html, html } from './html.ts';
import type { Totals } from './totals.ts';
import { grouped, money } from './values.ts';

/** Finds dead letters of every status by what callers and customers name when they ask. */
export function searchForm(search: string | undefined): Html {
  return html`<form class="search" method="get" action="/dead-letters/list" role="search">
<label>Search by uniqueid, callid, number, id of a dead letter, or part of a customer’s name
<input type="search" name="search" value="${fieldValue(search)}" required></label>
<input type="hidden" name="status" value=""><button>Search</button></form>`;
}

/** The money at stake, and how many are left out of it because nobody knows who sent them. */
export function atStake(amounts: readonly Money[], unverified: number): Html {
  return html`${amounts.length === 0 ? 'none' : sums(amounts)}${
    unverified > 0 && html` <small>not counting ${grouped(unverified)} of unknown senders</small>`
  }`;
}

function sums(amounts: readonly Money[]): Html[] {
  return amounts.map(
    ({ currency, cost }, index) => html`${index > 0 && ', '}${money(cost, currency, currency)}`,
  );
}

/** How many there are and what they are about. */
export function totalsLine(
  { count, isMore, unverified, at_stake }: Totals,
  what: string,
  link: Html | null = null,
): Html {
  return html`<p>${isMore && 'More than '}<b>${nounOf(count)}</b> ${what}; money at stake: ${atStake(at_stake, unverified)}${link !== null && html` · ${link}`}</p>`;
}

export function nounOf(count: number): string {
  return counted(count, 'dead letter').replace(/^\d+/, grouped(count));
}
