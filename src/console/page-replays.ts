import type { Skipped } from '../dead-letters/corrections.ts';
import { chargesOf, countsOf, type DryRun } from '../dead-letters/dry-run.ts';
import { timeOf } from '../dead-letters/format.ts';
import { type Html, html } from './html.ts';
import { type Job, numbersOf } from './jobs.ts';
import { type ConsoleResponse, csrfField } from './respond.ts';
import type { Session } from './session.ts';

const SHOWN = 200;

/** The result of a dry run. */
export function dryRunPage({ rows, skipped }: DryRun): ConsoleResponse {
  const charges = chargesOf(rows);
  return {
    kind: 'page',
    title: 'Dry run',
    body: html`<p>This is what a replay would do. Nothing was changed.</p>
<ul class="numbers">${countsOf(rows).map(({ becomes, count }) => html`<li><b>${count}</b> ${becomes}</li>`)}</ul>
<h2>Charges</h2>
${table(
  ['customer', 'calls', 'amount'],
  charges.map(({ customer, calls, charged, currency }) => [customer, calls, `${charged} ${currency}`]),
)}
<h2>Calls</h2>
${table(
  ['id', 'uniqueid', 'result', 'reply', 'charged'],
  rows
    .slice(0, SHOWN)
    .map(({ id, uniqueid, becomes, code, responses, charged, currency }) => [
      html`<a href="/dead-letters/${id}">${id}</a>`,
      uniqueid ?? '',
      becomes,
      responses.map(({ key, message }) => (key === '' ? code : `${code} ${key}: ${message}`)).join('; '),
      charged === null ? '' : `${charged} ${currency}`,
    ]),
)}
${rows.length > SHOWN && html`<p>and ${rows.length - SHOWN} more</p>`}
${skippedList(skipped)}`,
  };
}

/** The progress of a replay, or its result. */
export function jobPage(job: Job, session: Session): ConsoleResponse {
  const numbers = numbersOf(job);
  const { progress, state, problem } = job;
  const value = (name: 'sent' | 'resolved' | 'dead' | 'rate' | 'left') =>
    html`<b data-value="${name}">${numbers[name]}</b>`;
  return {
    kind: 'page',
    title: state === 'running' ? 'Replay in progress' : 'Replay',
    body: html`<p>Started ${timeOf(job.startedAt)} by ${job.operator}: ${job.selected} selected.</p>
<div ${state === 'running' && html`data-job="${job.id}"`}>
<progress max="${Math.max(1, numbers.selected)}" value="${numbers.done}" aria-label="Replayed"></progress>
<ul class="numbers" aria-live="polite"><li>${value('sent')} sent</li><li class="resolved">${value('resolved')} resolved</li>
<li class="dead">${value('dead')} refused again</li><li>${value('rate')} per second</li><li>${value('left')} left</li></ul></div>
${problem && html`<p role="alert" class="problem">${problem}</p>`}
${progress?.ended && html`<p class="problem">Stopped early${progress.ended === 'stopped' ? '' : `: ${progress.ended}`}. Replay the same selection to continue.</p>`}
${
  state === 'running' &&
  session.role === 'operator' &&
  html`<form class="act" method="post" action="/replays/${job.id}/stop">${csrfField(session)}<button class="danger">Stop sending</button></form>
<noscript><p><a href="/replays/${job.id}">Reload</a> to see progress.</p></noscript>`
}
${skippedList(progress?.skipped ?? [])}`,
  };
}

export function jobsPage(jobs: readonly Job[]): ConsoleResponse {
  return {
    kind: 'page',
    title: 'Replays',
    body: html`<p>Replays started since this console was last restarted. Each dead letter’s history lists every replay.</p>
${table(
  ['started (UTC)', 'by', 'state', 'selected', 'resolved', 'refused again'],
  jobs.map((job) => {
    const { selected, resolved, dead } = numbersOf(job);
    return [
      html`<a href="/replays/${job.id}">${timeOf(job.startedAt)}</a>`,
      job.operator,
      job.state,
      selected,
      resolved,
      dead,
    ];
  }),
)}`,
  };
}

function table(head: readonly string[], rows: readonly (readonly (Html | string | number)[])[]): Html {
  if (rows.length === 0) return html`<p>None.</p>`;
  return html`<div class="scroll"><table><thead><tr>${head.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows.map((cells) => html`<tr>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`;
}

function skippedList(skipped: readonly Skipped[]): Html {
  if (skipped.length === 0) return html``;
  return html`<h2>Skipped</h2><ul>${skipped.slice(0, SHOWN).map(({ id, why }) => html`<li><a href="/dead-letters/${id}">${id}</a>: ${why}</li>`)}</ul>`;
}
