import { deadLetterStatuses, openStatuses } from '../domain/record.ts';
import type { DeadLetterSummary } from '../store/dead-letters/list.ts';
import { type Html, html } from './html.ts';
import { csrfField } from './respond.ts';
import { type FilterText, hiddenFields } from './selection.ts';
import type { Session } from './session.ts';
import type { Totals } from './totals.ts';
import { grouped } from './values.ts';

/** The form that the ticks of the rows belong to. */
export const rowForm = 'chosen';

export interface ActionBar {
  filter: FilterText;
  shown: readonly DeadLetterSummary[];
  /** Of all that the filter selects, on all pages. */
  totals: Totals;
  /** Of this list, to come back to. */
  path: string;
}

/** What an operator can do with the rows of a list. It stands above them and stays in sight. */
export function actionBar({ filter, shown, totals, path }: ActionBar, session: Session): Html {
  const inAll = `${totals.isMore ? 'more than ' : ''}${grouped(totals.count)}`;
  const statuses = filter.status?.split(',') ?? deadLetterStatuses;
  const [hasOpen, hasDiscarded] = [
    openStatuses.some((one) => statuses.includes(one)),
    statuses.includes('discarded'),
  ];
  return html`<form class="bar" id="${rowForm}" method="post" action="/dry-run">${csrfField(session)}${hiddenFields(filter)}
<input type="hidden" name="back" value="${path}"><input type="hidden" name="page_ids" value="${shown.map(({ id }) => id).join(',')}">
<label>With <select name="scope" data-scope>
<option value="ticked" data-text="the ticked">the ticked ones</option>
<option value="page">all ${grouped(shown.length)} on this page</option>
<option value="all">all ${inAll} of this selection</option></select></label>
${totals.unverified > 0 && html`<label class="tick"><input type="checkbox" name="unverified" value="1"> I vouch for unknown senders</label>`}
${
  hasOpen &&
  html`<button class="main">Dry run…</button> <button formaction="/correct">Correct…</button> <button class="danger" formaction="/discard">Discard…</button>
<button formaction="/replay/ask">Replay…</button>`
}
${hasDiscarded && html`<button formaction="/reopen">Reopen…</button>`}</form>`;
}
