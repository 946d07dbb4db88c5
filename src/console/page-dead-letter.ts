import { mayTakeValues } from '../dead-letters/conflict.ts';
import { senderOf } from '../dead-letters/format.ts';
import type { DeadLetterView } from '../dead-letters/history.ts';
import { nextSteps } from '../dead-letters/next-steps.ts';
import { openStatuses } from '../domain/record.ts';
import { counted } from '../plural.ts';
import { callFacts, callTable, rawBody, storedFacts } from './call-parts.ts';
import { callPath } from './calls/links.ts';
import { badge, notice, table } from './components.ts';
import { type Html, html } from './html.ts';
import { type ConsoleResponse, csrfField } from './respond.ts';
import type { Session } from './session.ts';
import { timeAt } from './values.ts';

export interface DeadLetterPage {
  view: DeadLetterView;
  systemCurrency: string;
  /** What was just done to it. */
  done: string | null;
}

/** The story of one call: what came, what was answered, what can be done, what is stored, what has been done. */
export function deadLetterPage(
  { view, systemCurrency, done }: DeadLetterPage,
  session: Session,
): ConsoleResponse {
  const { deadLetter, history, inReplays } = view;
  const { id, reason, status, operation, mended, edits, deaths, replays, error, responses } = deadLetter;
  return {
    kind: 'page',
    title: `Dead letter ${id}`,
    body: html`${done && notice('done', html`<p>${done}</p>`)}
<p>${badge(status)} <b>${reason}</b>; ${operation !== 'create' && html`asks for <code>cdrs/${operation}</code> of a stored call; `}${senderOf(deadLetter)}, ${counted(deaths, 'death')}, ${counted(replays, 'replay')}${(mended || Object.keys(edits).length > 0) && ', corrected'}</p>
<h2>Reply</h2>
<ul>${responses.map(({ code, key, message }) => html`<li><b>${code}</b> ${key && html`<code>${key}</code>: `}${message}</li>`)}</ul>
${error && html`<p class="problem">${error}</p>`}
<h2>What can be done</h2>
<ul>${nextSteps(view).map((step) => html`<li>${stepOf(step)}</li>`)}</ul>
${session.role === 'operator' && actions(view, session)}
<h2>Call</h2>
${callFacts(view, systemCurrency)}
${storedFacts(view)}
${callTable(view)}
${rawBody(view)}
${
  inReplays.length > 0 &&
  html`<p>In replays and dry runs: ${inReplays.map((replay, index) => html`${index > 0 && ', '}<a href="/replays/${replay}">${replay}</a>`)}</p>`
}
<h2>History</h2>
${table(
  'History',
  [
    { name: 'time (UTC)', of: ({ at }) => timeAt(at) },
    { name: 'event', of: ({ event }) => event },
    { name: 'by', of: ({ by }) => by },
    { name: 'details', kind: 'text', of: ({ text }) => text },
    { name: 'why', kind: 'text', of: ({ why }) => why },
  ],
  history,
)}`,
  };
}

/** A step in words, with the command that does the same where there is one. */
function stepOf(step: string): Html {
  const [, words, command] = /^(.*?)((?:dead [a-z]+|call correct) .*)$/s.exec(step) ?? [];
  return command === undefined ? html`${step}` : html`${words}<code>cdr-ingest ${command}</code>`;
}

/** Few and in one place: a dry run first, then the others. Each one that closes or sends asks again on a page of its own. */
function actions(view: DeadLetterView, session: Session): Html {
  const { deadLetter, problem, merged, stored } = view;
  const { id, reason, status, verified } = deadLetter;
  const hidden = html`${csrfField(session)}<input type="hidden" name="id" value="${id}">
<input type="hidden" name="reason" value="${reason}">`;
  if (status === 'discarded' && merged === null)
    return html`<div class="bar"><form method="post" action="/reopen">${hidden}<button>Reopen…</button></form></div>`;
  if (!openStatuses.includes(status)) return html``;
  return html`${problem !== null && notice('warning', html`<p>Cannot be replayed yet: ${problem}.</p>`)}
${!verified && notice('warning', html`<p>Sender not verified: the credentials were missing or wrong, or could not be checked. If you replay this call, you vouch for it, and it is stored in your name.</p>`)}
${reason === 'forbidden' && notice('warning', html`<p>The sender may not submit this call.</p>`)}
<div class="bar"><form class="row" method="post" action="/dry-run">${hidden}${
    !verified &&
    html`<label class="tick"><input type="checkbox" name="unverified" value="1" required> I vouch for this call</label>`
  }
<button class="main">Dry run</button> <button formaction="/replay/ask">Replay…</button></form>
<a class="button" href="/dead-letters/${id}/correct">Correct…</a>
${stored !== null && mayTakeValues(view) && html`<a class="button" href="${callPath(stored.call.uniqueid, '/correct')}&amp;take=${id}">Take its values…</a>`}
${status === 'dead' && html`<form method="post" action="/discard">${hidden}<button class="danger">Discard…</button></form>`}</div>`;
}
