import type { CallStory, ChargedTax, StoryCall, StoryEntry } from '../../calls/story.ts';
import { cdrFields } from '../../domain/cdr.ts';
import type { InvoiceOfCall } from '../../store/calls/read.ts';
import { durationText } from '../call-parts.ts';
import { type Column, facts, table } from '../components.ts';
import { type Html, html, type Part } from '../html.ts';
import { money, timeAt } from '../values.ts';
import { callsOfCustomer } from './links.ts';

/** The call as people say it. */
export function callFactsOf(call: StoryCall): Html {
  const talked = Math.max(0, Math.round((call.end.getTime() - call.start.getTime()) / 1000));
  const named: [string, Part][] = [
    ['Uniqueid', html`<code>${call.uniqueid}</code>`],
    ['Callid', call.callid === call.uniqueid ? null : html`<code>${call.callid}</code>`],
    ['Customer', callsOfCustomer(call.scustomer, call.customer_name)],
    ['Start', timeAt(call.start)],
    ['End', timeAt(call.end)],
    ['Duration', durationText(talked)],
    ['From number', call.snumber],
    ['Called number', call.cnumber],
    ['To number', call.dnumber],
    ['Machine', call.machine],
    ['Feed', call.source],
  ];
  return facts(named.filter(([, value]) => value !== null && value !== ''));
}

type Charged = Pick<
  StoryCall,
  | 'cost'
  | 'currency'
  | 'tax'
  | 'charged'
  | 'customer_currency'
  | 'charged_taxes'
  | 'invoice_currency'
  | 'update_balance'
> &
  Pick<StoryCall, 'system_rate' | 'currency_rate' | 'customer_rate' | 'invoice_rate'>;

/** What the call, or an entry, was charged, and the terms that this follows from. */
export function chargeOf(charged: Charged, invoice: Part): Html {
  const { cost, currency, tax, charged: amount, customer_currency, charged_taxes, update_balance } = charged;
  return html`${facts([
    ['Cost', money(cost, currency, currency)],
    ['Tax', money(tax, currency, currency)],
    [
      'Charged',
      update_balance === 1
        ? money(amount, customer_currency, customer_currency)
        : 'nothing: update_balance is 0',
    ],
    ['Invoice', invoice],
  ])}
${charged_taxes.length > 0 && table('Taxes', taxColumns(currency), charged_taxes, true)}
${termsOf(charged)}`;
}

function taxColumns(ofCall: string): Column<ChargedTax>[] {
  return [
    { name: 'tax', kind: 'head', of: ({ id, name }) => (name === null ? `tax ${id}` : `${name} (${id})`) },
    { name: 'rate', kind: 'number', of: ({ rate }) => (Number(rate) === 0 ? '' : `${rate} %`) },
    {
      name: 'flat',
      kind: 'number',
      of: ({ flat, currency }) =>
        Number(flat) === 0 ? '' : currency === null ? `${flat} (system)` : money(flat, currency, currency),
    },
    { name: 'amount', kind: 'number', of: ({ amount }) => money(amount, ofCall, ofCall) },
  ];
}

/** Rates matter where one currency becomes another. */
function termsOf({ currency, customer_currency, invoice_currency, ...rates }: Charged): Html | false {
  const others = [customer_currency, invoice_currency].filter((one) => one !== null && one !== currency);
  if (others.length === 0) return false;
  const { system_rate, currency_rate, customer_rate, invoice_rate } = rates;
  return html`<details><summary>Exchange rates of these amounts</summary>
<p class="muted">In units of each currency per unit of the system currency, as they were then.</p>
${facts([
  [`Of the call (${currency})`, currency_rate],
  [`Of the customer (${customer_currency})`, customer_rate],
  ...(invoice_currency === null ? [] : ([[`Of the invoice (${invoice_currency})`, invoice_rate]] as const)),
  ['Of the system currency', system_rate],
])}</details>`;
}

/** Where the call was billed when it was stored. */
export function invoiceOfCall(call: StoryCall, invoices: readonly InvoiceOfCall[]): Part {
  const { invoice, update_invoices, invoice_currency, invoice_cost, invoice_tax } = call;
  if (invoice === null) return update_invoices === 1 ? 'none took it' : 'none: update_invoices is 0';
  const named = html`${invoice}${statusOf(invoice, invoices)}`;
  if (update_invoices === 0 || invoice_currency === null) return html`${named}, which gained nothing`;
  const gained = (amount: string) => money(amount, invoice_currency, invoice_currency);
  return html`${named}, which gained ${gained(invoice_cost)} and tax ${gained(invoice_tax)}`;
}

/** Where an entry was billed. */
export function invoiceOfEntry(entry: StoryEntry, invoices: readonly InvoiceOfCall[]): Part {
  const { invoice, invoice_currency, invoice_cost, invoice_tax, late } = entry;
  if (invoice === null || invoice_currency === null) return late ? 'late: none took it' : null;
  const moved = (amount: string) => money(amount, invoice_currency, invoice_currency);
  return html`${invoice}${statusOf(invoice, invoices)}: ${moved(invoice_cost)} and tax ${moved(invoice_tax)}`;
}

function statusOf(invoice: number, invoices: readonly InvoiceOfCall[]): string {
  const status = invoices.find(({ id }) => id === invoice)?.status;
  return status === undefined ? ' (does not exist any more)' : ` (${status})`;
}

/** Every parameter as it is stored. */
export function parametersOf(call: StoryCall): Html {
  const rows = cdrFields.map((name) => ({ name, value: call[name] }));
  return html`<details id="parameters"><summary>Every parameter, as it is stored</summary>
${table(
  'Parameters of the call',
  [
    { name: 'parameter', kind: 'head', of: ({ name }) => name },
    {
      name: 'value',
      kind: 'text',
      of: ({ value }) => (value instanceof Date ? html`${value.getTime() / 1000} ${timeAt(value)}` : value),
    },
  ],
  rows,
  true,
)}</details>`;
}

export type Story = CallStory & { call: StoryCall };
