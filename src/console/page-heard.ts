import { timeOf } from '../dead-letters/format.ts';
import { everyText } from '../domain/every.ts';
import { countOf, type Gap } from '../domain/sequence.ts';
import { type HeardState, isLate } from '../store/heard/read.ts';
import { agoText } from './ago.ts';
import { type Html, html } from './html.ts';
import { renewal } from './live.ts';
import type { ConsoleResponse } from './respond.ts';

const GAPS_SHOWN = 10;
const COLUMNS = ['kind', 'name', 'last heard (UTC)', 'ago', 'expected every', 'records', 'gaps'];

/** When each feed and each switch was heard of last, and which of its numbers are missing. */
export function heardPage(states: readonly HeardState[]): ConsoleResponse {
  const late = states.filter(isLate).length;
  return {
    kind: 'page',
    title: 'Feeds and switches',
    body: html`${renewal}
<div data-live>
<p>${late === 0 ? 'None is late.' : html`<b class="dead">${late}</b> ${late === 1 ? 'is' : 'are'} late: silent for longer than expected.`}</p>
${table(states)}
</div>`,
  };
}

function table(states: readonly HeardState[]): Html {
  if (states.length === 0) return html`<p>None was heard of, and none is expected.</p>`;
  return html`<div class="scroll"><table>
<thead><tr>${COLUMNS.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${states.map(row)}</tbody></table></div>`;
}

function row(state: HeardState): Html {
  const { kind, name, lastAt, agoSeconds, everySeconds, records } = state;
  return html`<tr><td>${kind}</td><th scope="row">${name}</th>
<td>${lastAt === null ? 'never' : timeOf(lastAt)}</td>
<td>${agoSeconds !== null && agoText(agoSeconds)}${isLate(state) && html` <b class="dead">late</b>`}</td>
<td>${everySeconds === null ? '' : everyText(everySeconds)}</td>
<td class="number">${records}</td><td>${numbersOf(state)}</td></tr>`;
}

function numbersOf({ kind, isNamed, sequence, isStopped, gaps }: HeardState): Html | string {
  if (kind === 'user') return '';
  if (!isNamed) return 'in no worker’s sources file';
  if (sequence === null) return '';
  if (isStopped) return `${sequence} does not count the records`;
  return gaps.length === 0 ? 'none' : gapsOf(gaps);
}

/** The latest ones; more of them are a number. */
function gapsOf(gaps: readonly Gap[]): Html {
  const missing = Number(countOf(gaps));
  const shown = gaps
    .slice(-GAPS_SHOWN)
    .map(({ first, last }) => (first === last ? `${first}` : `${first}–${last}`));
  const more = gaps.length - shown.length;
  return html`<b class="dead">${missing}</b> missing: ${more > 0 && `${more} more, `}${shown.join(', ')}`;
}
