import { replayFilter } from '../dead-letters/selection.ts';
import { type Consequences, readConsequences } from '../store/dead-letters/consequences.ts';
import { countDeadLetters } from '../store/dead-letters/list.ts';
import { backIn, frozen } from './closing.ts';
import { empty, notice } from './components.ts';
import { html } from './html.ts';
import { nounOf } from './list-parts.ts';
import { consequencesOf } from './page-confirm.ts';
import { type ConsoleResponse, csrfField } from './respond.ts';
import type { ConsoleRequest } from './route.ts';
import { type FilterText, hiddenFields, readFilter, selectedIn } from './selection.ts';
import type { Session } from './session.ts';

interface ReplayQuestion {
  consequences: Consequences;
  /** Selected, but not replayed. */
  left: number;
  filter: FilterText;
  isVouchedFor: boolean;
  back: string;
}

/** What a replay without a dry run would send, before it does. Throws InvalidInput. */
export async function askBeforeReplay({ context, form, session }: ConsoleRequest): Promise<ConsoleResponse> {
  const { sql, systemCurrency } = context;
  const filter = frozen(selectedIn(form), new Date());
  const selected = readFilter(filter, new Date());
  const isVouchedFor = form.get('unverified') === '1';
  const [consequences, all] = await Promise.all([
    readConsequences(sql, replayFilter(selected, isVouchedFor).filter, systemCurrency),
    countDeadLetters(sql, selected),
  ]);
  const left = Math.max(0, all - consequences.count);
  return questionPage({ consequences, left, filter, isVouchedFor, back: backIn(form, filter) }, session);
}

function questionPage(
  { consequences, left, filter, isVouchedFor, back }: ReplayQuestion,
  session: Session,
): ConsoleResponse {
  const { count } = consequences;
  const leftOut = html`Not replayed: what is resolved or discarded, senders who are not verified unless you vouch for them, and the reasons unauthenticated and forbidden unless they are filtered by.`;
  return {
    kind: 'page',
    title: count === 0 ? 'Nothing to replay' : `Replay ${nounOf(count)} without a dry run?`,
    body: html`${
      count === 0
        ? html`${empty(leftOut)}<p><a href="${back}">Back</a></p>`
        : html`${notice('warning', html`<p>A dry run would show what each call becomes and what is charged, on which invoice. Without one, it is charged at once.</p>`)}
${consequencesOf(consequences)}
${left > 0 && notice('info', html`<p>${nounOf(left)} more selected. ${leftOut}</p>`)}
<form class="act" method="post" action="/replay">${csrfField(session)}${hiddenFields(filter)}
<input type="hidden" name="expected" value="${consequences.fingerprint}">
${isVouchedFor && html`<input type="hidden" name="unverified" value="1">`}
<label>Limit <input name="limit" inputmode="numeric" placeholder="all"></label>
<label>Calls per second <input name="rate" inputmode="decimal" placeholder="unlimited"></label>
<label>Stop above % refused <input name="abort_over" inputmode="decimal" placeholder="never"></label>
<button formaction="/dry-run">Dry run first</button> <button class="main">Replay ${nounOf(count)}</button> <a class="button" href="${back}">Cancel</a></form>`
    }`,
  };
}
