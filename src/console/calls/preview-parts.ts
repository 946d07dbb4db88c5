import type { MovedBalance, MovedInvoice, MovedLate, Preview } from '../../calls/preview.ts';
import { moneyShown } from '../../domain/money-shown.ts';
import { type Column, empty, facts, notice, table } from '../components.ts';
import { type Html, html } from '../html.ts';
import { callsOfCustomer } from './links.ts';

/** Names of customers, as far as they are known. */
export type Names = ReadonlyMap<number, string>;

/** What a correction would move. */
export function previewParts({ balances, invoices, late, terms, warnings }: Preview, names: Names): Html {
  const movesNothing = balances.length + invoices.length + late.length === 0;
  return html`${warnings.length > 0 && notice('warning', html`${warnings.map((warning) => html`<p>${sentence(warning)}</p>`)}`)}
${movesNothing && empty('No money moves.')}
${balances.length > 0 && html`<h2>Balances</h2>${table('Balances', balanceColumns(names), balances)}`}
${invoices.length > 0 && html`<h2>Invoices</h2>${table('Invoices', INVOICE_COLUMNS, invoices)}`}
${late.length > 0 && html`<h2>On no invoice</h2>${table('On no invoice', lateColumns(names), late)}`}
${terms.length > 0 && html`<h2>Terms of today for the new amounts</h2>${facts(terms)}`}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function balanceColumns(names: Names): Column<MovedBalance>[] {
  return [
    {
      name: 'customer',
      kind: 'head',
      of: ({ customer }) => callsOfCustomer(customer, names.get(customer) ?? null),
    },
    { name: 'balance changes by', kind: 'number', of: ({ balance, currency }) => signed(balance, currency) },
    { name: 'calls', kind: 'number', of: ({ calls }) => counted(calls) },
  ];
}

const INVOICE_COLUMNS: readonly Column<MovedInvoice>[] = [
  { name: 'invoice', kind: 'head', of: ({ invoice }) => invoice },
  { name: 'cost', kind: 'number', of: ({ cost, currency }) => signed(cost, currency) },
  { name: 'tax', kind: 'number', of: ({ tax, currency }) => signed(tax, currency) },
  { name: 'total', kind: 'number', of: ({ total, currency }) => signed(total, currency) },
  { name: 'calls', kind: 'number', of: ({ calls }) => counted(calls) },
];

function lateColumns(names: Names): Column<MovedLate>[] {
  return [
    {
      name: 'customer',
      kind: 'head',
      of: ({ customer }) => callsOfCustomer(customer, names.get(customer) ?? null),
    },
    { name: 'cost', kind: 'number', of: ({ cost, currency }) => signed(cost, currency) },
    { name: 'tax', kind: 'number', of: ({ tax, currency }) => signed(tax, currency) },
  ];
}

/** With a plus where something is gained, for it is a change and no amount. */
function signed(amount: string, currency: string): Html {
  const isGain = !amount.startsWith('-') && Number(amount) !== 0;
  return html`<span class="amount">${isGain && '+'}${moneyShown(amount, currency)}</span>`;
}

function counted(calls: number): string {
  return calls > 0 ? `+${calls}` : String(calls);
}
