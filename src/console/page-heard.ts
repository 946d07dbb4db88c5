import { everyText } from '../domain/every.ts';
import { countOf, type Gap } from '../domain/sequence.ts';
import { type HeardState, isLate } from '../store/heard/read.ts';
import { agoText } from './ago.ts';
import { type Column, empty, table } from './components.ts';
import { type Html, html } from './html.ts';
import { renewal } from './live.ts';
import type { ConsoleResponse } from './respond.ts';
import { grouped, timeAt } from './values.ts';

const GAPS_SHOWN = 10;
const COLUMNS: readonly Column<HeardState>[] = [
  { name: 'kind', of: ({ kind }) => kind },
  { name: 'name', kind: 'head', of: ({ name }) => name },
  { name: 'last heard (UTC)', of: ({ lastAt }) => (lastAt === null ? 'never' : timeAt(lastAt)) },
  { name: 'ago', of: agoOf },
  {
    name: 'expected every',
    of: ({ everySeconds }) => (everySeconds === null ? '' : everyText(everySeconds)),
  },
  { name: 'records', kind: 'number', of: ({ records }) => grouped(records) },
  { name: 'gaps', of: numbersOf },
];

/** When each feed and each switch was heard of last, and which of its numbers are missing. */
export function heardPage(states: readonly HeardState[]): ConsoleResponse {
  const late = states.filter(isLate).length;
  return {
    kind: 'page',
    title: 'Feeds and switches',
    body: html`${renewal}
<div data-live>
<p>${late === 0 ? 'None is late.' : html`<b class="dead">${late}</b> ${late === 1 ? 'is' : 'are'} late: silent for longer than expected.`}</p>
${states.length === 0 ? empty('None was heard of, and none is expected.') : table('Feeds and switches', COLUMNS, states)}
</div>`,
  };
}

function agoOf(state: HeardState): Html {
  const { agoSeconds } = state;
  return html`${agoSeconds !== null && agoText(agoSeconds)}${isLate(state) && html` <b class="dead">late</b>`}`;
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
