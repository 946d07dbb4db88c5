import type { CallChange } from '../../calls/change.ts';
import type { InForce } from '../../calls/in-force.ts';
import type { Preview } from '../../calls/preview.ts';
import type { CorrectionOperation } from '../../store/calls/orders.ts';
import { facts, notice } from '../components.ts';
import { fieldValue, type Html, html } from '../html.ts';
import { type ConsoleResponse, csrfField } from '../respond.ts';
import type { Session } from '../session.ts';
import { changeFields, changeInputs, changeWords } from './change-form.ts';
import { callLink, callPath } from './links.ts';
import { type Names, previewParts } from './preview-parts.ts';

export interface CorrectForm {
  uniqueid: string;
  inForce: InForce;
  /** As it was filled in. */
  form: URLSearchParams;
  problem: string | null;
  /** The conflict whose values are taken, and what of it stays as it is. */
  taken: { letter: string; staying: readonly string[]; verified: boolean } | null;
}

/** The form that corrects a call; the next page says what would move. */
export function correctPage(
  { uniqueid, inForce, form, problem, taken }: CorrectForm,
  session: Session,
): ConsoleResponse {
  return {
    kind: 'page',
    ...(problem !== null && { status: 400 }),
    title: 'Correct a call',
    body: html`${problem !== null && notice('problem', html`<p>${problem}</p>`)}
<p>Call ${callLink(uniqueid)}. What is charged for it is taken back, and booked anew on the terms of today; messages and included time alone move no money.</p>
${taken !== null && takenNotice(taken)}
<form class="act" method="post" action="/call/correct">${csrfField(session)}${uniqueidField(uniqueid)}${takeField(taken?.letter ?? null)}
${changeInputs(form, inForce)}
${reasonField(form.get('why') ?? '')}
<button class="main">Show what would move</button> <a class="button" href="${callPath(uniqueid)}">Cancel</a></form>`,
  };
}

function takenNotice({ letter, staying, verified }: NonNullable<CorrectForm['taken']>): Html {
  return notice(
    verified ? 'info' : 'warning',
    html`<p>The values of <a href="/dead-letters/${letter}">dead letter ${letter}</a>, which is resolved when this is booked.${
      staying.length > 0 && ` Staying as they are stored: ${staying.join(', ')}.`
    }${!verified && ' Nobody knows who sent it: you answer for its values.'}</p>`,
  );
}

export interface CorrectionQuestion {
  /** A new one for each page: sent twice, it is booked once. */
  order: string;
  operation: CorrectionOperation;
  uniqueid: string;
  inForce: InForce;
  change: CallChange;
  deadLetter: string | null;
  why: string;
  preview: Preview;
  mark: string;
  names: Names;
  /** Why this is shown again, or what went wrong. */
  problem: { status: number; text: string } | null;
}

/** What a correction would move, before exactly that is done. */
export function questionPage(question: CorrectionQuestion, session: Session): ConsoleResponse {
  const { operation, uniqueid, inForce, change, deadLetter, why, preview, mark, names, problem, order } =
    question;
  const verb = operation === 'void' ? 'Void' : 'Correct';
  return {
    kind: 'page',
    ...(problem !== null && { status: problem.status }),
    title: `${verb} this call?`,
    body: html`${problem !== null && notice('problem', html`<p>${problem.text}</p>`)}
<p>Call ${callLink(uniqueid)}. ${
      operation === 'void'
        ? 'Everything that is charged for it is taken back. That cannot be undone: a voided call takes no further correction.'
        : 'Nothing has been changed yet.'
    }${deadLetter !== null && ` Dead letter ${deadLetter} becomes resolved with it.`}</p>
${operation === 'update' && facts(changeWords(change, inForce))}
${previewParts(preview, names)}
<form class="act" method="post" action="/call/book">${csrfField(session)}${uniqueidField(uniqueid)}${takeField(deadLetter)}
<input type="hidden" name="operation" value="${operation}"><input type="hidden" name="order" value="${order}"><input type="hidden" name="expected" value="${mark}">
${changeFields(change)}
${reasonField(why)}
<button class="main ${operation === 'void' && 'danger'}">${verb} the call</button> <a class="button" href="${callPath(uniqueid)}">Cancel</a></form>`,
  };
}

function uniqueidField(uniqueid: string): Html {
  return html`<input type="hidden" name="uniqueid" value="${fieldValue(uniqueid)}">`;
}

function takeField(letter: string | null): Html | false {
  return letter !== null && html`<input type="hidden" name="take" value="${letter}">`;
}

function reasonField(why: string): Html {
  return html`<label>Reason, kept with the entry <input name="why" value="${fieldValue(why)}" size="50" maxlength="1000" required></label>`;
}
