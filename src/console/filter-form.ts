import { deadReasons } from '../domain/outcome.ts';
import { deadLetterStatuses } from '../domain/record.ts';
import type { Sort } from '../store/dead-letters/sort.ts';
import { fieldValue, type Html, html } from './html.ts';
import { type FilterName, type FilterText, hiddenFields, OPEN_STATUSES } from './selection.ts';

type TextName = Exclude<FilterName, 'status' | 'reason' | 'search' | 'answer_key' | 'closed_at'>;

const TEXTS: readonly (readonly [name: TextName, label: string, hint: string])[] = [
  ['code', 'Reply code', '400'],
  ['key', 'Parameter in the reply', 'scustomer'],
  ['customer', 'Customer', '123'],
  ['machine', 'Machine', ''],
  ['uniqueid', 'Uniqueid', ''],
  ['source', 'Feed', ''],
  ['since', 'Died since', '2h'],
  ['until', 'Died until', ''],
];

/** The filters of the list, closed so that they are one stop on the way to the list; what is set is said in the summary. */
export function filterForm(filter: FilterText, sort: Sort): Html {
  const { search, answer_key, closed_at, id } = filter;
  // What has no field of its own stays as it is.
  const kept: FilterText = {
    ...(search !== undefined && { search }),
    ...(answer_key !== undefined && { answer_key }),
    ...(closed_at !== undefined && { closed_at }),
    ...(id !== undefined && { id }),
  };
  const text = ([name, label, hint]: (typeof TEXTS)[number]) =>
    html`<label>${label} <input name="${name}" value="${fieldValue(filter[name])}" placeholder="${hint}"></label>\n`;
  return html`<details><summary>Filter: ${summaryOf(filter)}</summary>
<form class="filters" method="get" action="/dead-letters/list">${hiddenFields(kept)}
${sort !== 'latest' && html`<input type="hidden" name="sort" value="${sort}">`}
${choice('Status', 'status', [['', 'any'], [OPEN_STATUSES, 'open'], ...named(deadLetterStatuses)], filter.status ?? '')}
${choice('Reason', 'reason', [['', 'any'], ...named(deadReasons)], filter.reason ?? '')}
${TEXTS.map(text)}
<button class="main">Show</button> <a class="button" href="/dead-letters/list">Clear</a></form></details>`;
}

type Option = readonly [value: string, label: string];

const named = (names: readonly string[]): Option[] => names.map((name) => [name, name]);

function choice(label: string, name: string, options: readonly Option[], chosen: string): Html {
  const isKnown = options.some(([value]) => value === chosen);
  const all: readonly Option[] = isKnown ? options : [...options, [chosen, chosen.replaceAll(',', ' or ')]];
  return html`<label>${label} <select name="${name}">${all.map(
    ([value, text]) => html`<option value="${value}" ${value === chosen && 'selected'}>${text}</option>`,
  )}</select></label>\n`;
}

/** Of names that are no words. */
const WORDS: Readonly<Record<string, string>> = {
  key: 'reply names',
  answer_key: 'reply first names',
  closed_at: 'closed at',
};

/** The filter in words. */
function summaryOf({ id, status, ...rest }: FilterText): string {
  const parts = Object.entries(rest).map(([name, value]) => `${WORDS[name] ?? name} ${value || 'nothing'}`);
  const which =
    status === undefined ? 'any status' : status === OPEN_STATUSES ? 'open' : status.replaceAll(',', ' or ');
  return [which, ...parts, ...(id === undefined ? [] : [`${id.length} chosen`])].join(', ');
}
