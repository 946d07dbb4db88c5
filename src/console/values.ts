import { moneyShown } from '../domain/money-shown.ts';
import { type Html, html } from './html.ts';

/** A time in UTC; the script of the page adds the reader's own time where it is another. */
export function timeAt(date: Date): Html {
  const text = date.toISOString();
  return html`<time datetime="${text}">${text.slice(0, 19).replace('T', ' ')}</time>`;
}

/** An amount with the digits of its currency; nothing for one that cannot be read. */
export function money(amount: string | null, currency: string | null, systemCurrency: string): Html | null {
  return amount === null
    ? null
    : html`<span class="amount">${moneyShown(amount, currency ?? systemCurrency)}</span>`;
}

/** A customer by name and number, with a link to its open dead letters. */
export function customerLink(id: number | null, name: string | null): Html | null {
  if (id === null) return null;
  return html`<a href="/dead-letters/list?customer=${id}">${name ?? `customer ${id}`}</a>${name !== null && ` (${id})`}`;
}

/** 12345 → 12,345 */
export function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
