import { bothValues, correctionOf, readableRecord } from '../dead-letters/format.ts';
import type { DeadLetterView } from '../dead-letters/history.ts';
import { parameters } from '../domain/contract.ts';
import { withEdits } from '../domain/kept.ts';
import { facts } from './components.ts';
import { type Html, html, type Part, preformatted } from './html.ts';
import { customerLink, money, timeAt } from './values.ts';

type Fact = readonly [name: string, value: Part];

/** What is known of the call, with its corrections, as people say it. */
export function callFacts({ deadLetter, call }: DeadLetterView, systemCurrency: string): Html {
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
    ['Start', timeOf(text('start'))],
    ['End', timeOf(text('end'))],
    ['Duration', durationOf(text('start'), text('end'))],
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

/** A time in Unix seconds; nothing for one that is none. */
function timeOf(text: string): Html | null {
  const seconds = secondsOf(text);
  return seconds === null ? null : timeAt(new Date(seconds * 1000));
}

function secondsOf(text: string): number | null {
  return text === '' ? null : (parameters.shape.start.safeParse(text).data ?? null);
}

/** Hours, minutes and seconds between two times. */
function durationOf(start: string, end: string): string | null {
  const [from, to] = [secondsOf(start), secondsOf(end)];
  if (from === null || to === null || to < from) return null;
  const [minutes, seconds] = [Math.floor((to - from) / 60), (to - from) % 60];
  const hours = Math.floor(minutes / 60);
  const parts = [hours > 0 && `${hours} h`, minutes > 0 && `${minutes % 60} min`, `${seconds} s`];
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
      html`<td data-label="${label}">${withTime(name, text)}</td>`;
    return html`<tr class="${differing.has(name) && 'differs'}"><th scope="row">${differing.has(name) && html`<span class="unseen">differs: </span><span aria-hidden="true">≠ </span>`}${name}</th>
${cell('received', both.received)}${isCorrected && cell('corrected', correctionOf(view, name))}${stored && cell('stored', both.stored)}</tr>`;
  };
  return html`<div class="scroll"><table id="call"><caption class="unseen">Parameters of the call</caption>
<thead><tr><th scope="col">parameter</th><th scope="col">received</th>${isCorrected && html`<th scope="col">corrected</th>`}${stored && html`<th scope="col">stored</th>`}</tr></thead>
<tbody>${[...names].map(row)}</tbody></table></div>`;
}

/** A time stands as the switch sent it, and beside that as people read it. */
function withTime(name: string, text: string): Part {
  const time = name === 'start' || name === 'end' ? timeOf(text.replace(/^"(.*)"$/, '$1')) : null;
  return time === null ? text : html`${text} ${time}`;
}

/** The call that is stored under the same uniqueid, with what it was charged. */
export function storedFacts({ stored, differences }: DeadLetterView): Html | false {
  if (stored === null) return false;
  const { call, source, submitted_by, replayed_by, received_at, charged, customer_currency } = stored;
  return html`<h2>Stored call</h2>
${
  differences.length > 0 &&
  html`<p>${differences.length === 1 ? 'One parameter differs' : `${differences.length} parameters differ`}: ${differences.map(({ parameter }) => parameter).join(', ')}.</p>`
}
${facts([
  ['Stored', timeAt(received_at)],
  ['Sent by', source === null ? submitted_by : `${submitted_by}, feed ${source}`],
  ...(replayed_by === null ? [] : ([['Replayed by', replayed_by]] as const)),
  ['Cost', money(call.cost, call.currency, call.currency)],
  ['Charged', money(charged, customer_currency, customer_currency)],
])}`;
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
