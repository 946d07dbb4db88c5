import { counted } from '../plural.ts';
import type { Consequences, CustomerShare } from '../store/dead-letters/consequences.ts';
import { type Column, empty, facts, notice, table } from './components.ts';
import { fieldValue, type Html, html } from './html.ts';
import { atStake, nounOf } from './list-parts.ts';
import { type ConsoleResponse, csrfField } from './respond.ts';
import { type FilterText, hiddenFields } from './selection.ts';
import type { Session } from './session.ts';
import { customerLink, grouped, money, timeAt } from './values.ts';

/** What closes dead letters, and what undoes it. */
export type ClosingAct = 'discard' | 'reopen';

export interface Confirmation {
  act: ClosingAct;
  consequences: Consequences;
  /** Selected, but the act does not apply to them. */
  left: number;
  /** What was selected, with absolute times. */
  filter: FilterText;
  /** Where to go instead, and afterwards. */
  back: string;
  /** Why this is shown again. */
  again?: 'changed' | 'no reason';
  typed?: { why: string; forGood: boolean };
}

const WORDS = {
  discard: { verb: 'Discard', done: 'discarded', left: 'closed already, or being replayed' },
  reopen: { verb: 'Reopen', done: 'opened again', left: 'not discarded, or merged into another' },
} as const;

/** What an act will do, before it is done to exactly that. */
export function confirmPage(confirmation: Confirmation, session: Session): ConsoleResponse {
  const { act, consequences, left, back, again } = confirmation;
  const { verb, done } = WORDS[act];
  const { count } = consequences;
  const noun = nounOf(count);
  return {
    kind: 'page',
    ...(again !== undefined && { status: again === 'changed' ? 409 : 400 }),
    title: count === 0 ? `Nothing to ${act}` : `${verb} ${noun}?`,
    body: html`${again === 'changed' && notice('problem', html`<p>The dead letters have changed since they were shown: nothing was ${done}. This is what it would be now.</p>`)}
${again === 'no reason' && notice('problem', html`<p>Nothing was ${done}: say why. The reason is kept in the history of each dead letter.</p>`)}
${
  count === 0
    ? html`${empty(`None of the selected dead letters can be ${done}: they are ${WORDS[act].left}.`)}<p><a href="${back}">Back</a></p>`
    : html`${consequencesOf(consequences)}
${left > 0 && notice('info', html`<p>${nounOf(left)} more ${left === 1 ? 'is' : 'are'} selected and ${left === 1 ? 'stays' : 'stay'} as ${left === 1 ? 'it is' : 'they are'}: ${WORDS[act].left}.</p>`)}
${confirmForm(confirmation, session)}`
}`,
  };
}

function confirmForm({ act, consequences, filter, back, typed }: Confirmation, session: Session): Html {
  const { verb } = WORDS[act];
  return html`<form class="act" method="post" action="/${act}/confirm">${csrfField(session)}${hiddenFields(filter)}
<input type="hidden" name="back" value="${fieldValue(back)}"><input type="hidden" name="expected" value="${consequences.fingerprint}">
<label>Reason for this, kept in the history <input name="why" value="${fieldValue(typed?.why)}" size="50" maxlength="1000" required></label>
${act === 'discard' && html`<label class="tick"><input type="checkbox" name="for_good" value="1" ${typed?.forGood && 'checked'}> For good: also if the switch sends the call again</label>`}
<button class="main ${act === 'discard' && 'danger'}">${verb} ${nounOf(consequences.count)}</button> <a class="button" href="${back}">Cancel</a></form>`;
}

/** The set that an act is about: how many, since when, and whose money. */
export function consequencesOf({
  count,
  unverified,
  at_stake,
  by_customer,
  others,
  oldest,
}: Consequences): Html {
  return html`${facts([
    ['Dead letters', grouped(count)],
    ['Money at stake', atStake(at_stake, unverified)],
    ...(oldest === null ? [] : ([['Oldest died (UTC)', timeAt(oldest)]] as const)),
  ])}
${
  unverified > 0 &&
  notice(
    'warning',
    html`<p>${nounOf(unverified)} ${unverified === 1 ? 'comes' : 'come'} from senders who are not verified: anybody may have sent ${unverified === 1 ? 'it' : 'them'}, and what ${unverified === 1 ? 'it says' : 'they say'} about money is only a claim.</p>`,
  )
}
${table('By customer', CUSTOMER_COLUMNS, by_customer)}
${others !== null && html`<p>and ${grouped(others.count)} of ${counted(others.customers, 'other customer')}</p>`}`;
}

const CUSTOMER_COLUMNS: readonly Column<CustomerShare>[] = [
  {
    name: 'customer',
    kind: 'head',
    of: ({ customer, name }) => customerLink(customer, name) ?? 'not readable',
  },
  { name: 'dead letters', kind: 'number', of: ({ count }) => grouped(count) },
  { name: 'money at stake', kind: 'number', of: ({ cost, currency }) => money(cost, currency, currency) },
];
