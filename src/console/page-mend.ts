import { readableRecord } from '../dead-letters/format.ts';
import type { DeadLetterView } from '../dead-letters/history.ts';
import { nearest } from '../dead-letters/nearest.ts';
import type { Fields } from '../domain/body.ts';
import { parameterRow, rowIn } from '../domain/contract.ts';
import { updateParameters } from '../domain/correction-contract.ts';
import { editableIn, withEdits } from '../domain/kept.ts';
import type { Operation } from '../domain/operation.ts';
import { shown } from '../domain/text.ts';
import { notice, table } from './components.ts';
import { areaValue, fieldValue, type Html, html, preformatted } from './html.ts';
import { bodyText, enteredIn, fieldName } from './mend-form.ts';
import { type ConsoleResponse, csrfField } from './respond.ts';
import type { Session } from './session.ts';

/** What a correction would make of a dead letter, before it is saved. */
export interface MendPreview {
  /** Name, value now and value then, a line each. */
  changes: readonly (readonly [name: string, before: string, after: string])[];
  /** The whole call as it would read; null for the record of a feed, and for what cannot be read. */
  call: Fields | null;
  /** What the operator should know of it. */
  said: readonly string[];
  /** Parameters of it that need a reason. */
  needsWhy: readonly string[];
}

export interface MendPage {
  view: DeadLetterView;
  /** The body that counts, for its field. */
  body: string;
  /** As it was sent, so that nothing that was typed is lost; empty at first. */
  form: URLSearchParams;
  problem: string | null;
  preview: MendPreview | null;
}

/** Corrects one dead letter: what is at fault first, everything else behind it. */
export function mendPage(page: MendPage, session: Session): ConsoleResponse {
  const { view, form, problem, preview } = page;
  const { deadLetter } = view;
  const { id, responses, source } = deadLetter;
  const { first, others } = parametersOf(view);
  return {
    kind: 'page',
    title: `Correct dead letter ${id}`,
    status: problem === null ? 200 : 400,
    body: html`${problem !== null && notice('problem', html`<p>${problem}</p>`)}
<p><a href="/dead-letters/${id}">Back to dead letter ${id}</a></p>
<ul>${responses.map(({ code, key, message }) => html`<li><b>${code}</b> ${key && html`<code>${key}</code>: `}${message}</li>`)}</ul>
${preview && previewOf(preview)}
<form method="post" action="/dead-letters/${id}/correct">${csrfField(session)}
${first.length > 0 && html`<h2>What the reply is about</h2>${first.map((name) => fieldsOf(name, view, form))}`}
<details ${(first.length === 0 && view.call !== null) || others.some((name) => isEntered(name, form)) ? 'open' : null}><summary>${first.length === 0 ? 'Parameters' : 'Other parameters'}</summary>
${source !== null && html`<p class="muted">What is set here stands in place of what the sources file says.</p>`}
${others.map((name) => fieldsOf(name, view, form))}</details>
${bodyField(page)}
<label>Reason for the correction <input name="why" value="${fieldValue(form.get('why') ?? '')}"></label>
<p class="muted">Needed where money moves or a call becomes another one: cost, currency, taxes, scustomer, invoice, update_balance, update_invoices, uniqueid, and the body.</p>
<div class="row"><button name="act" value="preview">Preview</button> <button class="main" name="act" value="save">Save the correction</button></div>
</form>`,
  };
}

/** The parameters to correct: what the reply names, what is no parameter, what was masked; and all others. */
function parametersOf(view: DeadLetterView): { first: string[]; others: string[] } {
  const { deadLetter, call } = view;
  const now = currentFields(view);
  const isUnknown = (name: string) => !isKnown(name, view) && name !== 'validation';
  const named = [
    ...Object.keys(now).filter(isUnknown),
    ...deadLetter.responses
      .map(({ key }) => key)
      .filter((key) => isKnown(key, view) || Object.hasOwn(now, key)),
    ...deadLetter.altered.filter((name) => name !== '' && isKnown(name, view)),
    ...(deadLetter.reason === 'conflict' ? ['uniqueid'] : []),
  ];
  if (call === null && deadLetter.source === null) return { first: [], others: [] };
  const first = [...new Set(named)].filter((name) => maySet(name, view) || isUnknown(name));
  const others = editableIn[deadLetter.operation].filter(
    (name) => !first.includes(name) && maySet(name, view),
  );
  return { first, others };
}

/** Only a conflict gets another uniqueid, and a call that has none. */
function maySet(name: string, { deadLetter: { operation, reason, uniqueid } }: DeadLetterView): boolean {
  return (
    editableIn[operation].includes(name) &&
    (name !== 'uniqueid' || reason === 'conflict' || uniqueid === null)
  );
}

/** A parameter of what its message asked for. */
function isKnown(name: string, { deadLetter: { operation } }: DeadLetterView): boolean {
  return name === 'uniqueid' || editableIn[operation].includes(name);
}

function currentFields({ call, deadLetter }: DeadLetterView): Fields {
  return withEdits(call ?? {}, deadLetter.edits);
}

function isEntered(name: string, form: URLSearchParams): boolean {
  return (['set', 'rename', 'unset'] as const).some((act) => enteredIn(form, act, name) !== '');
}

/** One parameter: its value, and what can be done with it. */
function fieldsOf(name: string, view: DeadLetterView, form: URLSearchParams): Html {
  const now = currentFields(view);
  const isThere = Object.hasOwn(now, name);
  const { source, operation } = view.deadLetter;
  const isRecord = source !== null;
  const row = operation === 'create' ? parameterRow(name) : rowIn(updateParameters.shape, name);
  const entered = (act: 'set' | 'rename' | 'unset') => enteredIn(form, act, name);
  return html`<fieldset><legend><code>${name}</code>${isThere && html` is now ${shown(now[name])}`}</legend>
${
  editableIn[operation].includes(name)
    ? html`<label>New value of ${name} <input name="${fieldName('set', name)}" value="${fieldValue(entered('set'))}" placeholder="unchanged"></label>
<p class="muted">${row?.description} Expected: ${row?.expected}.</p>`
    : html`<p>The contract has no such parameter.</p>
<label>Rename ${name} to <select name="${fieldName('rename', name)}"><option value="">no other name</option>
${namesFor(name, now, operation).map((to) => html`<option ${to === entered('rename') && 'selected'}>${to}</option>`)}</select></label>`
}
${
  isThere &&
  !isRecord &&
  name !== 'uniqueid' &&
  html`<label class="tick"><input type="checkbox" name="${fieldName('unset', name)}" value="1" ${entered('unset') !== '' && 'checked'}> Take ${name} out</label>`
}</fieldset>`;
}

/** What a misspelt parameter can be renamed to: what it was probably meant to be comes first. */
function namesFor(name: string, now: Fields, operation: Operation): string[] {
  const free = editableIn[operation].filter((each) => each !== 'uniqueid' && !Object.hasOwn(now, each));
  const meant = nearest(name, free);
  return meant === null ? free : [meant, ...free.filter((each) => each !== meant)];
}

function bodyField({ view, body, form }: MendPage): Html {
  const { source } = view.deadLetter;
  const isUnreadable = view.call === null && source === null;
  const text = bodyText(form.get('body') ?? body);
  const isOpen = isUnreadable || text !== bodyText(body);
  return html`<details ${isOpen && 'open'}><summary>Replace the ${source === null ? 'body' : 'record'}</summary>
<label>${source === null ? 'The body, as a JSON object or as name=value pairs' : `The record, as the feed ${source} writes it`}
<textarea name="body" rows="10" spellcheck="false">
${areaValue(text)}</textarea></label>
<p class="muted">What came stays on record. A password is never kept. Corrections made before are of the text before and count no more.</p></details>`;
}

function previewOf({ changes, call, said, needsWhy }: MendPreview): Html {
  return html`<section aria-labelledby="preview"><h2 id="preview">Preview: nothing is saved yet</h2>
${said.map((line) => notice('info', html`<p>${line}</p>`))}
${needsWhy.length > 0 && notice('info', html`<p>A reason is needed for ${needsWhy.join(', ')}.</p>`)}
${
  changes.length === 0
    ? html`<p>No parameter changes.</p>`
    : table(
        'What changes',
        [
          { name: 'parameter', kind: 'head', of: ([name]) => name },
          { name: 'now', kind: 'text', of: ([, before]) => before },
          { name: 'then', kind: 'text', of: ([, , after]) => after },
        ],
        changes,
      )
}
${
  call !== null &&
  html`<details open><summary>The call as it would read</summary>
<pre>${preformatted(readableRecord(JSON.stringify(call)))}</pre></details>`
}</section>`;
}
