import type { CallFilterText } from '../../calls/filter.ts';
import { InvalidInput } from '../../input.ts';
import type { CallCursor } from '../../store/calls/find.ts';
import { fieldValue, type Html, html } from '../html.ts';

type FieldName = keyof CallFilterText;
type Field = readonly [name: FieldName, label: string, hint: string];

/** What people ask by most, and what else a call can be told by. */
const MAIN: readonly Field[] = [
  ['uniqueid', 'Uniqueid', ''],
  ['number', 'Number of caller or called', '+44 20 7946 0000'],
  ['customer', 'Customer', '123'],
  ['since', 'Started since', '7d'],
  ['until', 'Started until', ''],
];
const MORE: readonly Field[] = [
  ['callid', 'Callid', ''],
  ['machine', 'Machine', ''],
  ['source', 'Feed', ''],
  ['invoice', 'Invoice', '42'],
  ['charged', 'Charged', '100.. or 1..5'],
];
const names = [...MAIN.map(([name]) => name), ...MORE.map(([name]) => name), 'corrected'];

/** A selection of calls as the query has it. */
export interface CallSearch extends CallFilterText {
  /** '1': only those that were corrected, voided or put on an invoice later. */
  corrected?: string | undefined;
}

/** The filter in a query string; empty parts are left out. */
export function callFilterIn(query: URLSearchParams): CallSearch {
  const given = names.flatMap((name) => {
    const value = query.get(name)?.trim();
    return value ? [[name, value] as const] : [];
  });
  return Object.fromEntries(given);
}

/** The search by itself; above what it has found it is closed, so that it is one stop on the way to that. */
export function callSearch(filter: CallSearch, hasFound: boolean): Html {
  if (!hasFound) return searchForm(filter);
  const words = Object.entries(filter).map(([name, value]) =>
    name === 'corrected' ? name : `${name} ${value}`,
  );
  return html`<details><summary>Filter: ${words.join(', ')}</summary>${searchForm(filter)}</details>`;
}

function searchForm(filter: CallSearch): Html {
  const text = ([name, label, hint]: Field) =>
    html`<label>${label} <input name="${name}" value="${fieldValue(filter[name])}" placeholder="${hint}"></label>\n`;
  const hasMore = filter.corrected !== undefined || MORE.some(([name]) => filter[name] !== undefined);
  return html`<form method="get" action="/calls" role="search">
<div class="filters">${MAIN.map(text)}</div>
<details ${hasMore && 'open'}><summary>More filters</summary><div class="filters">${MORE.map(text)}
<label class="tick"><input type="checkbox" name="corrected" value="1" ${filter.corrected !== undefined && 'checked'}> Corrected, voided or put on an invoice later</label></div></details>
<p class="row"><button class="main">Find calls</button> <a class="button" href="/calls">Clear</a></p></form>`;
}

export function callsPath(filter: CallSearch, after?: CallCursor): string {
  const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== undefined));
  if (after !== undefined) query.set('after', `${after.start},${after.uniqueid}`);
  return `/calls?${query.toString()}`;
}

/** Throws InvalidInput. */
export function callCursorIn(query: URLSearchParams): CallCursor | undefined {
  const text = query.get('after');
  if (text === null) return undefined;
  const [, start, uniqueid] = /^(\d{1,12}(?:\.\d{1,9})?),([^\0]{1,255})$/s.exec(text) ?? [];
  if (start === undefined || uniqueid === undefined)
    throw new InvalidInput(`after: expected where a page of calls ends, got ${JSON.stringify(text)}`);
  return { start: Number(start), uniqueid };
}
