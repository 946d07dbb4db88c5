import { answerOf, moneyOf, timeOf } from '../dead-letters/format.ts';
import { editableNames } from '../domain/kept.ts';
import { deadReasons } from '../domain/outcome.ts';
import { deadLetterStatuses } from '../domain/record.ts';
import type { DeadLetterSummary } from '../store/dead-letters/list.ts';
import { type Cursor, cursorText } from '../store/dead-letters/sort.ts';
import { fieldValue, type Html, html } from './html.ts';
import { type ConsoleResponse, csrfField } from './respond.ts';
import type { Session } from './session.ts';

/** The filters of the list, with the names of the command line's options. */
export const filterNames = [
  'reason',
  'status',
  'code',
  'key',
  'customer',
  'machine',
  'uniqueid',
  'source',
  'since',
  'until',
] as const;
export type FilterText = Partial<Record<(typeof filterNames)[number], string>>;

export interface ListPage {
  deadLetters: readonly DeadLetterSummary[];
  next: Cursor | undefined;
  filter: FilterText;
  systemCurrency: string;
}

export function deadLettersPage(
  { deadLetters, next, filter, systemCurrency }: ListPage,
  session: Session,
): ConsoleResponse {
  const more = new URLSearchParams(filter);
  if (next !== undefined) more.set('after', cursorText(next));
  return {
    kind: 'page',
    title: 'Dead letters',
    body: html`${filterForm(filter)}
${deadLetters.length === 0 ? html`<p>None.</p>` : table(deadLetters, systemCurrency)}
${next && html`<p><a href="/dead-letters?${more.toString()}" rel="next">Next page</a></p>`}
${deadLetters.length > 0 && session.role === 'operator' && selectionForms(filter, session)}`,
  };
}

function filterForm(filter: FilterText): Html {
  const choice = (name: 'reason' | 'status', options: readonly string[]) => html`<label>${name}
<select name="${name}"><option value="">any</option>
${options.map((option) => html`<option ${option === filter[name] && 'selected'}>${option}</option>`)}</select></label>`;
  const text = (name: keyof FilterText, hint: string) =>
    html`<label>${name} <input name="${name}" value="${fieldValue(filter[name])}" placeholder="${hint}"></label>`;
  return html`<form class="filters" method="get" action="/dead-letters" role="search">
${choice('status', deadLetterStatuses)} ${choice('reason', deadReasons)}
${text('code', '400')} ${text('key', 'scustomer')} ${text('customer', '123')} ${text('machine', '')}
${text('uniqueid', '')} ${text('source', '')} ${text('since', '2h')} ${text('until', '')}
<button class="main">Show</button></form>`;
}

function table(deadLetters: readonly DeadLetterSummary[], systemCurrency: string): Html {
  return html`<div class="scroll"><table>
<thead><tr><th scope="col">id</th><th scope="col">last died (UTC)</th><th scope="col">reason</th><th scope="col">status</th>
<th scope="col">uniqueid</th><th scope="col">customer</th><th scope="col" class="wide">machine</th><th scope="col" class="wide">source</th><th scope="col">reply</th>
<th scope="col">cost</th><th scope="col" class="wide">deaths</th></tr></thead>
<tbody>${deadLetters.map(
    (
      deadLetter,
    ) => html`<tr><td><a href="/dead-letters/${deadLetter.id}">${deadLetter.id}</a></td><td>${timeOf(deadLetter.last_dead_at)}</td>
<td>${deadLetter.reason}</td><td class="${deadLetter.status}">${deadLetter.status}</td><td>${deadLetter.uniqueid}</td><td class="number">${deadLetter.scustomer}</td>
<td class="wide">${deadLetter.machine}</td><td class="wide">${deadLetter.source}</td><td>${answerOf(deadLetter)}</td>
<td class="number">${moneyOf(deadLetter.cost, deadLetter.currency, systemCurrency)}</td><td class="number wide">${deadLetter.deaths}</td></tr>`,
  )}</tbody></table></div>`;
}

/** Actions on everything that the filters select, on all pages of the list. */
function selectionForms(filter: FilterText, session: Session): Html {
  const hidden = Object.entries(filter).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${fieldValue(value)}">`,
  );
  return html`<h2>All matching dead letters</h2>
<form class="act" method="post" action="/dry-run">${csrfField(session)}${hidden}${correctionFields()}${replayOptions()}${unverifiedField()}
<button>Dry run</button> <button class="main" formaction="/replay">Replay</button></form>
<form class="act" method="post" action="/discard">${csrfField(session)}${hidden}
<label>why <input name="why" required></label> <button class="danger">Discard</button></form>`;
}

/** Dead letters of unverified senders are replayed only if the operator vouches for them. */
export function unverifiedField(): Html {
  return html`<label><input type="checkbox" name="unverified" value="1"> include unverified senders</label>`;
}

/** One parameter to correct, or none. */
export function correctionFields(): Html {
  return html`<label>correct <select name="name"><option value="">nothing</option>
${editableNames.map((name) => html`<option>${name}</option>`)}</select></label>
<label>to <input name="value"></label> <label>why <input name="why"></label>`;
}

function replayOptions(): Html {
  return html`<label>limit <input name="limit" inputmode="numeric" placeholder="all"></label>
<label>rate (calls/s) <input name="rate" inputmode="decimal" placeholder="unlimited"></label>
<label>abort above % refused <input name="abort_over" inputmode="decimal" placeholder="never"></label>`;
}
