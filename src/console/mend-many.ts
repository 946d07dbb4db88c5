import { nearest } from '../dead-letters/nearest.ts';
import { replayFilter } from '../dead-letters/selection.ts';
import { settableNames } from '../domain/kept.ts';
import { type Consequences, readConsequences } from '../store/dead-letters/consequences.ts';
import { backIn, frozen } from './closing.ts';
import { empty } from './components.ts';
import { fieldValue, type Html, html } from './html.ts';
import { atStake, nounOf } from './list-parts.ts';
import { type ConsoleResponse, csrfField } from './respond.ts';
import type { ConsoleRequest } from './route.ts';
import { type FilterText, hiddenFields, readFilter, selectedIn } from './selection.ts';
import type { Session } from './session.ts';

/** Parameters that are set at once. */
const SET_ROWS = 3;

interface ManyPage {
  consequences: Consequences;
  filter: FilterText;
  isVouchedFor: boolean;
  back: string;
}

/** Asks what to correct in each of the selected dead letters: a dry run then shows what comes of it. Throws InvalidInput. */
export async function showMendMany({ context, form, session }: ConsoleRequest): Promise<ConsoleResponse> {
  const filter = frozen(selectedIn(form), new Date());
  const isVouchedFor = form.get('unverified') === '1';
  const replayed = replayFilter(readFilter(filter, new Date()), isVouchedFor).filter;
  const consequences = await readConsequences(context.sql, replayed, context.systemCurrency);
  return manyPage({ consequences, filter, isVouchedFor, back: backIn(form, filter) }, session);
}

function manyPage({ consequences, filter, isVouchedFor, back }: ManyPage, session: Session): ConsoleResponse {
  const { count, at_stake, unverified } = consequences;
  const atFault = filter.answer_key ?? filter.key ?? '';
  const isUnknown = atFault !== '' && !settableNames.includes(atFault);
  return {
    kind: 'page',
    title: count === 0 ? 'Nothing to correct' : `Correct ${nounOf(count)}`,
    body:
      count === 0
        ? html`${empty('None of them is open, of a sender who is known or vouched for.')}<p><a href="${back}">Back</a></p>`
        : html`<p>Money at stake: ${atStake(at_stake, unverified)}. Each keeps its own values where nothing is set. Nothing is saved before the replay.</p>
<form method="post" action="/dry-run">${csrfField(session)}${hiddenFields(filter)}
${isVouchedFor && html`<input type="hidden" name="unverified" value="1">`}
${renameFields(isUnknown ? atFault : '')}
${setFields(isUnknown ? '' : atFault)}
<label>Reason for the correction <input name="why"></label>
<p class="muted">Needed where money moves: cost, currency, taxes, scustomer (of a correction customer), invoice, update_balance, update_invoices.</p>
<div class="row"><button class="main">Dry run with this correction</button> <a class="button" href="${back}">Cancel</a></div></form>`,
  };
}

/** A parameter with a wrong name: its right one, or none. */
function renameFields(name: string): Html {
  const meant = name === '' ? null : nearest(name, settableNames);
  return html`<fieldset><legend>A parameter that the contract does not have</legend>
<label>Misspelt name <input name="rename_from" value="${fieldValue(name)}"></label>
<label>New name <select name="rename_to"><option value="">no other name</option>
${settableNames.map((to) => html`<option ${to === meant && 'selected'}>${to}</option>`)}</select></label>
<label>Or take out <input name="unset"></label></fieldset>`;
}

function setFields(atFault: string): Html {
  const rows = Array.from({ length: SET_ROWS }, (_, row) => row + 1);
  return html`<fieldset><legend>The same value for all</legend>
${rows.map(
  (row) => html`<div class="row"><label>Set (${row}) <select name="set_name"><option value="">nothing</option>
${settableNames.filter((name) => name !== 'uniqueid').map((name) => html`<option ${row === 1 && name === atFault && 'selected'}>${name}</option>`)}</select></label>
<label>to value (${row}) <input name="set_value"></label></div>`,
)}</fieldset>`;
}
