import { senderOf, timeOf } from '../dead-letters/format.ts';
import type { DeadLetterHistory } from '../dead-letters/history.ts';
import { unsendable } from '../domain/kept.ts';
import { shown } from '../domain/text.ts';
import { type Html, html, lines } from './html.ts';
import { answerFor, correction } from './page-letters.ts';
import { type Answer, csrfField } from './respond.ts';
import type { Session } from './session.ts';

/** One call: what came, what was answered, what differs from the stored one, and its history. */
export function deadLetterPage(deadLetterHistory: DeadLetterHistory, session: Session): Answer {
  const { deadLetter, call, history, stored } = deadLetterHistory;
  return {
    kind: 'page',
    title: `Dead letter ${deadLetter.id}`,
    body: html`<p><b>${deadLetter.reason}</b>, <span class="${deadLetter.status}">${deadLetter.status}</span>; ${senderOf(deadLetter)},
${deadLetter.deaths} deaths, ${deadLetter.replays} replays</p>
<h2>The reply it got</h2>
<ul>${deadLetter.responses.map(({ code, key, message }) => html`<li><b>${code}</b> ${key && html`<code>${key}</code>: `}${message}</li>`)}</ul>
${deadLetter.error && html`<p class="problem">${deadLetter.error}</p>`}
<h2>The call</h2>
${call === null ? html`<p>Its body cannot be read.</p><pre>${lines(deadLetter.body)}</pre>` : callTable(deadLetterHistory)}
${
  stored &&
  html`<p>Stored ${timeOf(stored.received_at)} from ${stored.submitted_by}${stored.replayed_by && `, replayed by ${stored.replayed_by}`};
charged ${stored.charged} ${stored.customer_currency}.</p>`
}
${session.role === 'operator' && deadLetter.status !== 'resolved' && forms(deadLetterHistory, session)}
<h2>History</h2>
<div class="scroll"><table><thead><tr><th scope="col">when (UTC)</th><th scope="col">what</th><th scope="col">by</th><th scope="col">details</th><th scope="col">why</th></tr></thead>
<tbody>${history.map(
      ({ at, event, by, text, why }) =>
        html`<tr><td>${timeOf(at)}</td><td>${event}</td><td>${by}</td><td>${text}</td><td>${why}</td></tr>`,
    )}</tbody></table></div>`,
  };
}

function callTable({ deadLetter, call, stored, differences }: DeadLetterHistory): Html {
  const isCorrected = Object.keys(deadLetter.edits).length > 0;
  const differing = new Set<string>(differences.map(({ parameter }) => parameter));
  const names = new Set([...Object.keys(call ?? {}), ...Object.keys(deadLetter.edits), ...differing]);
  const cell = (fields: object | null, name: string) => {
    const value: unknown = fields === null ? undefined : Reflect.get(fields, name);
    return html`<td>${value === undefined ? '' : shown(value)}</td>`;
  };
  return html`<div class="scroll"><table id="call">
<thead><tr><th scope="col">parameter</th><th scope="col">as it came</th>${isCorrected && html`<th scope="col">corrected</th>`}${stored && html`<th scope="col">stored</th>`}</tr></thead>
<tbody>${[...names].map(
    (
      name,
    ) => html`<tr class="${differing.has(name) && 'differs'}"><th scope="row">${differing.has(name) && html`<span title="differs from the stored call">≠ </span>`}${name}</th>
${cell(call, name)}${isCorrected && cell(deadLetter.edits, name)}${stored && cell(stored.call, name)}</tr>`,
  )}</tbody></table></div>`;
}

function forms({ deadLetter }: DeadLetterHistory, session: Session): Html {
  const id = html`${csrfField(session)}<input type="hidden" name="id" value="${deadLetter.id}">
<input type="hidden" name="reason" value="${deadLetter.reason}">`;
  const discard = html`<form class="act" method="post" action="/discard">${id}
<label>why <input name="why" required></label> <button class="danger">Discard</button></form>`;
  const problem = unsendable(deadLetter.altered, deadLetter.edits);
  return html`<h2>What to do</h2>
${!deadLetter.verified && html`<p class="problem">Nobody verified who sent this: who sends it again answers for it.</p>`}
${deadLetter.reason === 'forbidden' && html`<p class="problem">Its sender may not submit calls.</p>`}
${problem && html`<p class="problem">It is not sent again: ${problem}.</p>`}
${
  deadLetter.status !== 'discarded' &&
  html`<form class="act" method="post" action="/correct">${id}${correction()} <button>Save the correction</button></form>
<form class="act" method="post" action="/rehearse">${id}${!deadLetter.verified && answerFor()}<button>Try out, changing nothing</button>
<button class="main" formaction="/replay">Replay</button></form>`
}
${deadLetter.status === 'dead' && discard}`;
}
