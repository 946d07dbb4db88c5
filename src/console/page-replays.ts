import { timeOf } from '../dead-letters/format.ts';
import type { ReplayLetter } from '../store/replays/letters.ts';
import type { ReplayRow } from '../store/replays/read.ts';
import type { DryRunSums } from '../store/replays/sums.ts';
import { type Html, html } from './html.ts';
import { type ConsoleResponse, csrfField } from './respond.ts';
import type { Session } from './session.ts';

/** The progress of a dry run, or its result. */
export function dryRunPage(
  row: ReplayRow,
  { outcomes, customers }: DryRunSums,
  letters: readonly ReplayLetter[],
  skipped: readonly ReplayLetter[],
  session: Session,
): ConsoleResponse {
  return {
    kind: 'page',
    title: 'Dry run',
    body: html`${followed(row, session)}
<p>This is what a replay would do. Nothing was changed.</p>
<ul class="numbers">${outcomes.map(({ becomes, count }) => html`<li><b>${count}</b> ${becomes}</li>`)}</ul>
<h2>Charges</h2>
${table(
  ['customer', 'calls', 'amount'],
  customers.map(({ customer, calls, charged, currency }) => [customer, calls, `${charged} ${currency}`]),
)}
<h2>Calls</h2>
${table(
  ['id', 'uniqueid', 'result', 'reply', 'charged'],
  letters.map(({ id, uniqueid, becomes, code, responses, charged, currency }) => [
    html`<a href="/dead-letters/${id}">${id}</a>`,
    uniqueid ?? '',
    becomes ?? '',
    responses.map(({ key, message }) => (key === '' ? code : `${code} ${key}: ${message}`)).join('; '),
    charged === null ? '' : `${charged} ${currency}`,
  ]),
)}
${skippedList(skipped)}`,
  };
}

/** The progress of a replay, or its result. */
export function replayPage(
  row: ReplayRow,
  skipped: readonly ReplayLetter[],
  session: Session,
): ConsoleResponse {
  const isRunning = row.state === 'running';
  return {
    kind: 'page',
    title: isRunning ? 'Replay in progress' : 'Replay',
    body: html`${followed(row, session)}
${row.resumable && html`<p class="problem">Stopped early.</p>`}
${skippedList(skipped)}`,
  };
}

export function replaysPage(rows: readonly ReplayRow[]): ConsoleResponse {
  return {
    kind: 'page',
    title: 'Replays',
    body: table(
      ['started (UTC)', 'by', 'state', 'selected', 'resolved', 'refused again'],
      rows.map(({ id, created_at, operator, state, selected, resolved, refused }) => [
        html`<a href="/replays/${id}">${timeOf(created_at)}</a>`,
        operator,
        state,
        selected,
        resolved,
        refused,
      ]),
    ),
  };
}

/** The numbers of a replay or a dry run, for its page and for the script that follows it. */
export function numbersOf(row: ReplayRow) {
  const { selected, sent, resolved, refused, taken_over, skipped, tried, state, started_at } = row;
  const done =
    tried === 0 || row.kind === 'replay' ? resolved + refused + taken_over + skipped : tried + skipped;
  const end = row.ended_at ?? row.alive_at ?? new Date();
  const seconds = Math.max(0.001, (end.getTime() - (started_at ?? row.created_at).getTime()) / 1000);
  const rate = Math.round(done / seconds);
  const isRunning = state === 'running' || state === 'trying';
  const left = !isRunning ? '0 s' : rate === 0 ? '?' : `${Math.ceil((selected - done) / rate)} s`;
  return { selected, sent, done, resolved, dead: refused, rate, left, state, ended: !isRunning };
}

function followed(row: ReplayRow, session: Session): Html {
  const numbers = numbersOf(row);
  const value = (name: 'sent' | 'resolved' | 'dead' | 'rate' | 'left') =>
    html`<b data-value="${name}">${numbers[name]}</b>`;
  const act = (name: string, label: string) =>
    session.role === 'operator' &&
    html`<form class="act" method="post" action="/replays/${row.id}/${name}">${csrfField(session)}<button>${label}</button></form>`;
  return html`<p>Started ${timeOf(row.created_at)} by ${row.operator}: ${row.selected} selected.</p>
<div ${!numbers.ended && html`data-job="${row.id}"`}>
<progress max="${Math.max(1, numbers.selected)}" value="${numbers.done}" aria-label="Replayed"></progress>
<ul class="numbers" aria-live="polite"><li>${value('sent')} sent</li><li class="resolved">${value('resolved')} resolved</li>
<li class="dead">${value('dead')} refused again</li><li>${value('rate')} per second</li><li>${value('left')} left</li></ul></div>
${row.problem && html`<p role="alert" class="problem">${row.problem}</p>`}
${!numbers.ended && act('stop', 'Stop sending')}
${row.startable && act('start', 'Replay')}
${row.resumable && act('resume', 'Resume')}`;
}

function table(head: readonly string[], rows: readonly (readonly (Html | string | number)[])[]): Html {
  if (rows.length === 0) return html`<p>None.</p>`;
  return html`<div class="scroll"><table><thead><tr>${head.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows.map((cells) => html`<tr>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`;
}

function skippedList(skipped: readonly ReplayLetter[]): Html {
  if (skipped.length === 0) return html``;
  return html`<h2>Skipped</h2><ul>${skipped.map(({ id, skipped: why }) => html`<li><a href="/dead-letters/${id}">${id}</a>: ${why}</li>`)}</ul>`;
}
