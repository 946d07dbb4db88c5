import { booksAmounts, inForceOf } from '../../calls/in-force.ts';
import type { CallStory, StoryCall } from '../../calls/story.ts';
import { empty, notice } from '../components.ts';
import { type Html, html } from '../html.ts';
import type { ConsoleResponse } from '../respond.ts';
import type { Session } from '../session.ts';
import { money, timeAt } from '../values.ts';
import { callPath, callsOfCustomer } from './links.ts';
import { callFactsOf, chargeOf, invoiceOfCall, invoiceOfEntry, parametersOf } from './story-parts.ts';
import { timelineOf } from './timeline.ts';

export interface CallPage {
  story: CallStory;
  /** What was just done to it. */
  done: Html | null;
}

/** The story of a stored call: what it is, what was charged on which terms, and what became of it since. */
export function callPage({ story, done }: CallPage, session: Session): ConsoleResponse {
  const { call } = story;
  const waiting = story.orders.filter(({ responses }) => responses === null);
  return {
    kind: 'page',
    title: `Call ${story.uniqueid}`,
    body: html`${done && notice('done', html`<p>${done}</p>`)}
${waiting.length > 0 && notice('warning', html`<p>A correction was asked for and no worker has answered yet. It is booked as soon as one does. <a href="${callPath(story.uniqueid)}">Look again</a></p>`)}
${
  call === null
    ? empty(
        'This call has been pruned: only its uniqueid and the sums are kept. It can be corrected no more.',
      )
    : html`${standingOf(story)}
${session.role === 'operator' && actionsOf(story)}
<h2>Call</h2>
${callFactsOf(call)}
<h2>What was charged</h2>
${chargesOf(story, call)}`
}
<h2>History</h2>
${timelineOf(story)}
${call !== null && parametersOf(call)}`,
  };
}

/** The amounts that count, and folded up those that were charged before them. */
function chargesOf(story: CallStory, call: StoryCall): Html {
  const { entries, invoices } = story;
  const all = [
    { title: 'As it was stored', body: chargeOf(call, invoiceOfCall(call, invoices)) },
    ...entries.filter(booksAmounts).map((entry) => ({
      title: html`As it was corrected ${timeAt(entry.booked_at)}`,
      body: chargeOf(entry, invoiceOfEntry(entry, invoices) ?? 'none'),
    })),
  ];
  const counting = inForceOf(story)?.isVoided === false ? all.pop() : undefined;
  return html`${all.map(({ title, body }) => html`<details><summary>${title}</summary>${body}</details>`)}
${counting && html`${all.length > 0 && html`<h3>${counting.title}</h3>`}${counting.body}`}`;
}

/** How the call stands now, in one line. */
function standingOf(story: CallStory): Html {
  const now = inForceOf(story);
  if (now === null) return html``;
  if (now.isVoided) return html`<p><span class="badge">voided</span> Nothing is charged for it any more.</p>`;
  const billed = now.isLate
    ? html`<span class="badge warning">late</span> on no invoice`
    : now.invoice === null
      ? 'on no invoice'
      : `on invoice ${now.invoice}`;
  return html`<p><span class="badge">${story.entries.length > 0 ? 'corrected' : 'stored'}</span> Charged
<b>${money(now.charged, now.customer_currency, now.customer_currency)}</b> to ${callsOfCustomer(now.scustomer, now.customer_name)}, ${billed}.</p>`;
}

function actionsOf(story: CallStory): Html | false {
  if (inForceOf(story)?.isVoided !== false) return false;
  const { uniqueid } = story;
  return html`<div class="bar"><a class="button" href="${callPath(uniqueid, '/correct')}">Correct…</a>
<a class="button danger" href="${callPath(uniqueid, '/void')}">Void…</a></div>`;
}
