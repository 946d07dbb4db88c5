import { bothValues, correctionOf, readableRecord } from '../dead-letters/format.ts';
import type { DeadLetterView } from '../dead-letters/history.ts';
import { parameters } from '../domain/contract.ts';
import { withEdits } from '../domain/kept.ts';
import type { StoredCall } from '../store/dead-letters/history.ts';
import { callPath } from './calls/links.ts';
import { facts } from './components.ts';
import { type Html, html, type Part, preformatted } from './html.ts';
import { customerLink, money, timeAt } from './values.ts';

type Fact = readonly [name: string, value: Part];

/** What is known of the call, with its corrections, as people say it. */
export function callFacts({ deadLetter, call, times }: DeadLetterView, systemCurrency: string): Html {
  const fields = call === null ? {} : withEdits(call, deadLetter.edits);
  const text = (name: string) => {
    const value = Reflect.get(fields, name);
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
  const named: Fact[] = [
    [
      'Uniqueid',
      html`<code>${deadLetter.edits.uniqueid ?? deadLetter.uniqueid ?? 'none that can be read'}</code>`,
    ],
    ['Callid', text('callid')],
    ['Customer', customerLink(deadLetter.scustomer, deadLetter.customer_name)],
    ['Cost', costOf(deadLetter, systemCurrency)],
    ['Start', times.start && timeAt(times.start)],
    ['End', times.end && timeAt(times.end)],
    ['Duration', times.duration === null ? null : durationText(times.duration)],
    ['From number', text('snumber')],
    ['Called number', text('cnumber')],
    ['To number', text('dnumber')],
    ['Machine', deadLetter.machine],
    ['Feed', deadLetter.source],
    ['Routing key', deadLetter.routing_key === null ? null : html`<code>${deadLetter.routing_key}</code>`],
    ['First died', timeAt(deadLetter.first_dead_at)],
    ['Last died', timeAt(deadLetter.last_dead_at)],
    ['Closed', deadLetter.closed_at && timeAt(deadLetter.closed_at)],
    ['Opened again', deadLetter.reopened_at && timeAt(deadLetter.reopened_at)],
  ];
  return facts(named.filter(([, value]) => value !== null && value !== ''));
}

function costOf({ cost, currency, verified }: DeadLetterView['deadLetter'], systemCurrency: string): Part {
  const amount = money(cost, currency, systemCurrency);
  if (amount === null) return null;
  return verified
    ? amount
    : html`${amount} <span class="muted">as somebody claims; not counted as money at stake</span>`;
}

/** Seconds as hours, minutes and seconds. */
export function durationText(duration: number): string {
  const [hours, minutes, seconds] = [
    Math.floor(duration / 3600),
    Math.floor(duration / 60) % 60,
    duration % 60,
  ];
  const parts = [hours > 0 && `${hours} h`, hours + minutes > 0 && `${minutes} min`, `${seconds} s`];
  return parts.filter((part) => part !== false).join(' ');
}

/** The parameters as received, corrected and stored, side by side. */
export function callTable(view: DeadLetterView): Html {
  const { deadLetter, call, stored, differences } = view;
  const isCorrected = Object.keys(deadLetter.edits).length > 0;
  const differing = new Set<string>(differences.map(({ parameter }) => parameter));
  const names = new Set([...Object.keys(call ?? {}), ...Object.keys(deadLetter.edits), ...differing]);
  if (names.size === 0) return html``;
  const row = (name: string) => {
    const both = bothValues(view, name);
    const cell = (label: string, text: string) =>
      text === ''
        ? html`<td></td>`
        : html`<td data-label="${label}"><span>${withTime(name, text)}</span></td>`;
    return html`<tr class="${differing.has(name) && 'differs'}"><th scope="row"><span>${differing.has(name) && html`<span class="unseen">differs: </span><span aria-hidden="true">≠ </span>`}${name}</span></th>
${cell('received', both.received)}${isCorrected && cell('corrected', correctionOf(view, name))}${stored && cell('stored', both.stored)}</tr>`;
  };
  return html`<div class="scroll"><table id="call"><caption class="unseen">Parameters of the call</caption>
<thead><tr><th scope="col">parameter</th><th scope="col">received</th>${isCorrected && html`<th scope="col">corrected</th>`}${stored && html`<th scope="col">stored</th>`}</tr></thead>
<tbody>${[...names].map(row)}</tbody></table></div>`;
}

/** A time stands as the switch sent it, and beside that as people read it. */
function withTime(name: string, text: string): Part {
  if (name !== 'start' && name !== 'end') return text;
  const seconds = parameters.shape.start.safeParse(text.replace(/^"(.*)"$/, '$1')).data;
  return seconds === undefined ? text : html`${text} ${timeAt(new Date(seconds * 1000))}`;
}

/** The call that is stored under the same uniqueid, with what it was charged. */
export function storedFacts({ stored, differences }: DeadLetterView): Html | false {
  if (stored === null) return false;
  const { call, source, submitted_by, replayed_by, received_at, tax, charged, customer_currency } = stored;
  return html`<h2>Stored call</h2>
<p><a href="${callPath(call.uniqueid)}">What was charged for it, on which terms, and what became of it since</a></p>
${differences.length > 0 && html`<p>It differs in ${differences.map(({ parameter }) => parameter).join(', ')}.</p>`}
${facts([
  ['Stored', timeAt(received_at)],
  ['Sent by', source === null ? submitted_by : `${submitted_by}, feed ${source}`],
  ...(replayed_by === null ? [] : ([['Replayed by', replayed_by]] as const)),
  ['Customer', customerLink(call.scustomer, stored.customer_name)],
  ['Cost', money(call.cost, call.currency, call.currency)],
  ['Tax', money(tax, call.currency, call.currency)],
  ['Charged', money(charged, customer_currency, customer_currency)],
  ['Invoice', invoiceText(stored)],
])}`;
}

function invoiceText({ invoice, invoice_cost, invoice_tax, invoice_currency }: StoredCall): Part {
  if (invoice === null) return 'none';
  if (invoice_currency === null) return invoice;
  const gained = (amount: string) => money(amount, invoice_currency, invoice_currency);
  return html`${invoice}, which gained ${gained(invoice_cost)} and tax ${gained(invoice_tax)}`;
}

/** What came, as it was kept, and what an operator wrote in its place. */
export function rawBody({ deadLetter, call }: DeadLetterView): Html {
  const { source, body, mended_body, altered } = deadLetter;
  const isOpen = call === null && mended_body === null;
  const title =
    source === null
      ? html`The body as it was received`
      : html`Record of the feed <b>${source}</b>, as its switch wrote it. A replay maps it again.`;
  return html`${
    mended_body !== null &&
    html`<details><summary>What replaces it</summary><pre>${preformatted(readableRecord(mended_body))}</pre></details>`
  }
<details ${isOpen && 'open'}><summary>${title}</summary>
<p class="muted">Without passwords${altered.length > 0 && '; something else was masked or cut as well'}.</p>
<pre>${preformatted(readableRecord(body))}</pre></details>`;
}
