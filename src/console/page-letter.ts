import type { Story } from '../dead-letters/history.ts';
import { senderOf, timeOf } from '../dead-letters/format.ts';
import { unsendable } from '../domain/kept.ts';
import { shown } from '../domain/text.ts';
import { type Html, html, lines } from './html.ts';
import { answerFor, correction } from './page-letters.ts';
import { type Answer, csrfField } from './respond.ts';
import type { Session } from './session.ts';

/** One call: what came, what was answered, what differs from the stored one, and its history. */
export function letterPage(story: Story, session: Session): Answer {
  const { letter, call, history, stored } = story;
  return {
    kind: 'page',
    title: `Dead letter ${letter.id}`,
    body: html`<p><b>${letter.reason}</b>, <span class="${letter.status}">${letter.status}</span>; ${senderOf(letter)},
${letter.deaths} deaths, ${letter.replays} replays</p>
<h2>The reply it got</h2>
<ul>${letter.responses.map(({ code, key, message }) => html`<li><b>${code}</b> ${key && html`<code>${key}</code>: `}${message}</li>`)}</ul>
${letter.error && html`<p class="problem">${letter.error}</p>`}
<h2>The call</h2>
${call === null ? html`<p>Its body cannot be read.</p><pre>${lines(letter.body)}</pre>` : callTable(story)}
${
  stored &&
  html`<p>Stored ${timeOf(stored.received_at)} from ${stored.submitted_by}${stored.replayed_by && `, replayed by ${stored.replayed_by}`};
charged ${stored.charged} ${stored.customer_currency}.</p>`
}
${session.role === 'operator' && letter.status !== 'resolved' && forms(story, session)}
<h2>History</h2>
<div class="scroll"><table><thead><tr><th scope="col">when (UTC)</th><th scope="col">what</th><th scope="col">by</th><th scope="col">details</th><th scope="col">why</th></tr></thead>
<tbody>${history.map(
      ({ at, event, by, text, why }) =>
        html`<tr><td>${timeOf(at)}</td><td>${event}</td><td>${by}</td><td>${text}</td><td>${why}</td></tr>`,
    )}</tbody></table></div>`,
  };
}

function callTable({ letter, call, stored, differences }: Story): Html {
  const isCorrected = Object.keys(letter.edits).length > 0;
  const differing = new Set<string>(differences.map(({ parameter }) => parameter));
  const names = new Set([...Object.keys(call ?? {}), ...Object.keys(letter.edits), ...differing]);
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
${cell(call, name)}${isCorrected && cell(letter.edits, name)}${stored && cell(stored.call, name)}</tr>`,
  )}</tbody></table></div>`;
}

function forms({ letter }: Story, session: Session): Html {
  const id = html`${csrfField(session)}<input type="hidden" name="id" value="${letter.id}">
<input type="hidden" name="reason" value="${letter.reason}">`;
  const discard = html`<form class="act" method="post" action="/discard">${id}
<label>why <input name="why" required></label> <button class="danger">Discard</button></form>`;
  const problem = unsendable(letter.altered, letter.edits);
  return html`<h2>What to do</h2>
${!letter.verified && html`<p class="problem">Nobody verified who sent this: who sends it again answers for it.</p>`}
${letter.reason === 'forbidden' && html`<p class="problem">Its sender may not submit calls.</p>`}
${problem && html`<p class="problem">It is not sent again: ${problem}.</p>`}
${
  letter.status !== 'discarded' &&
  html`<form class="act" method="post" action="/correct">${id}${correction()} <button>Save the correction</button></form>
<form class="act" method="post" action="/rehearse">${id}${!letter.verified && answerFor()}<button>Try out, changing nothing</button>
<button class="main" formaction="/replay">Replay</button></form>`
}
${letter.status === 'dead' && discard}`;
}
