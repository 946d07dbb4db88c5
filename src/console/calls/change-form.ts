import { type CallChange, readValue } from '../../calls/change.ts';
import type { InForce } from '../../calls/in-force.ts';
import { parameterOf } from '../../domain/changeable.ts';
import { type ChangeName, changeNames } from '../../domain/correction-contract.ts';
import { InvalidInput } from '../../input.ts';
import { fieldValue, type Html, html } from '../html.ts';

const LABELS: Readonly<Record<ChangeName, string>> = {
  customer: 'Customer',
  cost: 'Cost before tax',
  currency: 'Currency',
  taxes: 'Taxes, by name or ID',
  messages: 'Included messages used',
  time: 'Included time used, in seconds',
};

/** Ticked, it stands for an empty list; an empty field stands for no change. */
const NO_TAXES = 'no_taxes';

/** The change that a form asks for: fields that are empty, or say what is so already, change nothing. Throws InvalidInput. */
export function changeIn(form: URLSearchParams, inForce: InForce): CallChange {
  const change: Partial<Record<ChangeName, string>> = {};
  for (const name of changeNames) {
    const text = (form.get(name) ?? '').trim();
    if (text !== '' && text !== nowOf(name, inForce)) change[name] = readValue(name, text);
  }
  if (form.get(NO_TAXES) === '1') {
    if (change.taxes !== undefined) throw new InvalidInput('set: either taxes are named, or none are wanted');
    if (inForce.taxes !== '') change.taxes = '';
  }
  return change;
}

/** The same as it is sent on, without what stays. */
export function changeFields(change: CallChange): Html {
  const fields = Object.entries(change).map(([name, value]) =>
    name === 'taxes' && value === ''
      ? html`<input type="hidden" name="${NO_TAXES}" value="1">`
      : html`<input type="hidden" name="${name}" value="${fieldValue(value)}">`,
  );
  return html`${fields}`;
}

/** A field for each value that can be changed, beside what it is now. */
export function changeInputs(form: URLSearchParams, inForce: InForce): Html {
  const input = (name: ChangeName) => {
    const now = nowOf(name, inForce);
    return html`<label>${LABELS[name]} <small>now ${now === '' ? 'none' : html`<code>${now}</code>`}</small>
<input name="${name}" value="${fieldValue(form.get(name) ?? '')}"></label>\n`;
  };
  return html`<fieldset><legend>New values; what stays empty stays as it is</legend>${(['customer', 'cost', 'currency', 'taxes'] as const).map(input)}
<label class="tick"><input type="checkbox" name="${NO_TAXES}" value="1" ${form.get(NO_TAXES) === '1' && 'checked'}> No taxes at all</label>
${(['messages', 'time'] as const).map(input)}</fieldset>`;
}

/** The form as it would be filled in for this change. */
export function formOf(change: CallChange): URLSearchParams {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(change))
    if (name === 'taxes' && value === '') form.set(NO_TAXES, '1');
    else form.set(name, value);
  return form;
}

/** The changes one by one, as people read them. */
export function changeWords(change: CallChange, inForce: InForce): [string, string][] {
  return changeNames.flatMap((name): [string, string][] => {
    const value = change[name];
    if (value === undefined) return [];
    return [[LABELS[name], `${nowOf(name, inForce) || 'none'} → ${value || 'none'}`]];
  });
}

function nowOf(name: ChangeName, inForce: InForce): string {
  const parameter = parameterOf(name);
  return String(inForce[parameter]);
}
