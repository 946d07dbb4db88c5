import type { Consequences } from '../store/dead-letters/consequences.ts';
import { notice } from './components.ts';
import { fieldValue, html } from './html.ts';
import { nounOf } from './list-parts.ts';
import { consequencesOf } from './page-confirm.ts';
import { type ConsoleResponse, csrfField } from './respond.ts';
import { type FilterText, hiddenFields, queryOf } from './selection.ts';
import type { Session } from './session.ts';

export interface Discarded {
  /** Those of one act that are still discarded. */
  consequences: Consequences;
  /** Selects them. */
  filter: FilterText;
  back: string;
}

/** What was discarded by one act, with a way to undo it. */
export function discardedPage({ consequences, filter, back }: Discarded, session: Session): ConsoleResponse {
  const { count, fingerprint } = consequences;
  return {
    kind: 'page',
    title: 'Discarded',
    body: html`${
      count === 0
        ? notice('info', html`<p>None of them is discarded any more.</p>`)
        : html`${notice('done', html`<p>Discarded: <a href="/dead-letters/list?${queryOf(filter).toString()}">${nounOf(count)}</a>.</p>`)}
${
  session.role === 'operator' &&
  html`<form class="row" method="post" action="/reopen/confirm">${csrfField(session)}${hiddenFields(filter)}
<input type="hidden" name="back" value="${fieldValue(back)}"><input type="hidden" name="expected" value="${fingerprint}">
<input type="hidden" name="why" value="undone"><button class="main">Undo: open ${count === 1 ? 'it' : 'them'} again</button></form>`
}
${consequencesOf(consequences)}`
    }
<p><a href="${back}">Back to where you were</a> · <a href="/dead-letters">Open problems</a></p>`,
  };
}
