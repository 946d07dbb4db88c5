import type { Problem } from '../store/dead-letters/problems.ts';
import { type Column, empty, table } from './components.ts';
import { type Html, html } from './html.ts';
import { atStake, searchForm, totalsLine } from './list-parts.ts';
import type { ConsoleResponse } from './respond.ts';
import { queryOf } from './selection.ts';
import { totalsOf } from './totals.ts';
import { grouped, timeAt } from './values.ts';

/** The open dead letters by problem: where somebody who is called at night looks first. */
export function problemsPage(problems: readonly Problem[]): ConsoleResponse {
  return {
    kind: 'page',
    title: 'Dead letters by problem',
    body: html`${searchForm(undefined)}
${
  problems.length === 0
    ? empty(
        html`No dead letter is open. <a href="/dead-letters/list?status=">Those that are resolved or discarded</a>`,
      )
    : html`${totalsLine(totalsOf(problems), 'open')}
${table('Open dead letters by reason and by the parameter that the reply names', COLUMNS, problems)}
<p><a href="/dead-letters/list">All open dead letters, one by one</a></p>`
}`,
  };
}

/** The dead letters of a problem that are open. */
export function problemPath({ reason, key }: Pick<Problem, 'reason' | 'key'>): string {
  return `/dead-letters/list?${queryOf({ reason, answer_key: key }).toString()}`;
}

const COLUMNS: readonly Column<Problem>[] = [
  { name: 'problem', kind: 'head', of: problemLink },
  { name: 'open', kind: 'number', of: ({ count }) => grouped(count) },
  { name: 'money at stake', of: ({ at_stake, unverified }) => atStake(at_stake, unverified) },
  { name: 'last hour', kind: 'number', of: ({ last_hour }) => grouped(last_hour) },
  { name: 'last day', kind: 'number', of: ({ last_day }) => grouped(last_day) },
  { name: 'oldest (UTC)', of: ({ oldest }) => timeAt(oldest) },
  { name: 'latest (UTC)', of: ({ latest }) => timeAt(latest) },
];

function problemLink({ reason, key }: Problem): Html {
  return html`<a href="${problemPath({ reason, key })}">${reason}${key !== '' && html`: <code>${key}</code>`}</a>`;
}
