import { bothValues, correctionOf, readableRecord, senderOf, timeOf } from '../dead-letters/format.ts';
import type { DeadLetterView } from '../dead-letters/history.ts';
import { counted } from '../plural.ts';
import { type Html, html, preformatted } from './html.ts';
import { correctionFields, unverifiedField } from './page-dead-letters.ts';
import { type ConsoleResponse, csrfField } from './respond.ts';
import type { Session } from './session.ts';

/** One dead letter: the call, its reply, what differs from the stored call, its history, and the actions. */
export function deadLetterPage(view: DeadLetterView, session: Session): ConsoleResponse {
  const { deadLetter, history, stored } = view;
  return {
    kind: 'page',
    title: `Dead letter ${deadLetter.id}`,
    body: html`<p><b>${deadLetter.reason}</b>, <span class="${deadLetter.status}">${deadLetter.status}</span>; ${senderOf(deadLetter)},
${counted(deadLetter.deaths, 'death')}, ${counted(deadLetter.replays, 'replay')}</p>
<h2>Reply</h2>
<ul>${deadLetter.responses.map(({ code, key, message }) => html`<li><b>${code}</b> ${key && html`<code>${key}</code>: `}${message}</li>`)}</ul>
${deadLetter.error && html`<p class="problem">${deadLetter.error}</p>`}
<h2>Call</h2>
${bodyOf(view)}
${
  stored &&
  html`<p>Stored ${timeOf(stored.received_at)} from ${stored.submitted_by}${stored.replayed_by && `, replayed by ${stored.replayed_by}`};
charged ${stored.charged} ${stored.customer_currency}.</p>`
}
${session.role === 'operator' && deadLetter.status !== 'resolved' && actions(view, session)}
<h2>History</h2>
<div class="scroll"><table><thead><tr><th scope="col">time (UTC)</th><th scope="col">event</th><th scope="col">by</th><th scope="col">details</th><th scope="col">why</th></tr></thead>
<tbody>${history.map(
      ({ at, event, by, text, why }) =>
        html`<tr><td>${timeOf(at)}</td><td>${event}</td><td>${by}</td><td>${text}</td><td>${why}</td></tr>`,
    )}</tbody></table></div>`,
  };
}

function bodyOf(view: DeadLetterView): Html {
  const { source, body, edits } = view.deadLetter;
  if (source !== null)
    return html`<p>Record of the feed <b>${source}</b>, as its switch wrote it. A replay maps it again.</p>
<pre>${preformatted(readableRecord(body))}</pre>
${Object.keys(edits).length + view.differences.length > 0 && callTable(view)}`;
  return view.call === null
    ? html`<p>The body cannot be read.</p><pre>${preformatted(body)}</pre>`
    : callTable(view);
}

function callTable(view: DeadLetterView): Html {
  const { deadLetter, call, stored, differences } = view;
  const isCorrected = Object.keys(deadLetter.edits).length > 0;
  const differing = new Set<string>(differences.map(({ parameter }) => parameter));
  const names = new Set([...Object.keys(call ?? {}), ...Object.keys(deadLetter.edits), ...differing]);
  const cells = (name: string) => {
    const both = bothValues(view, name);
    return html`<td>${both.received}</td>${isCorrected && html`<td>${correctionOf(view, name)}</td>`}${stored && html`<td>${both.stored}</td>`}`;
  };
  return html`<div class="scroll"><table id="call">
<thead><tr><th scope="col">parameter</th><th scope="col">received</th>${isCorrected && html`<th scope="col">corrected</th>`}${stored && html`<th scope="col">stored</th>`}</tr></thead>
<tbody>${[...names].map(
    (
      name,
    ) => html`<tr class="${differing.has(name) && 'differs'}"><th scope="row">${differing.has(name) && html`<span title="differs from the stored call">≠ </span>`}${name}</th>
${cells(name)}</tr>`,
  )}</tbody></table></div>`;
}

function actions({ deadLetter, problem }: DeadLetterView, session: Session): Html {
  const { id, reason, status, verified } = deadLetter;
  const hidden = html`${csrfField(session)}<input type="hidden" name="id" value="${id}">
<input type="hidden" name="reason" value="${reason}">`;
  const discard = html`<form class="act" method="post" action="/discard">${hidden}
<button class="danger">Discard…</button></form>`;
  return html`<h2>Actions</h2>
${!verified && html`<p class="problem">Sender not verified: the credentials were missing or wrong, or could not be checked. If you replay this call, you vouch for it.</p>`}
${reason === 'forbidden' && html`<p class="problem">The sender may not submit this call.</p>`}
${problem && html`<p class="problem">Cannot be replayed: ${problem}.</p>`}
${
  status !== 'discarded' &&
  html`<form class="act" method="post" action="/correct">${hidden}${correctionFields()} <button>Save the correction</button></form>
<form class="act" method="post" action="/dry-run">${hidden}${!verified && unverifiedField()}<button>Dry run</button>
<button class="main" formaction="/replay">Replay</button></form>`
}
${status === 'dead' && discard}`;
}
