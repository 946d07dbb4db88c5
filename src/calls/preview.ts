import { hash } from 'node:crypto';
import type { Entry } from '../domain/entry.ts';
import { type Amount, plain, ZERO } from '../domain/money.ts';
import type { InForce } from './in-force.ts';

/** What a customer's balance rises by; amounts as plain text. */
export interface MovedBalance {
  customer: number;
  currency: string;
  balance: string;
  /** Calls that the customer is charged for, more or fewer. */
  calls: number;
}

/** What an invoice gains, or loses where it is negative, in its currency. */
export interface MovedInvoice {
  invoice: number;
  currency: string;
  cost: string;
  tax: string;
  total: string;
  calls: number;
}

/** What belongs on an invoice and is on none until one is attached. */
export interface MovedLate {
  customer: number;
  currency: string;
  cost: string;
  tax: string;
}

/** What a correction moves, before it is booked or after. */
export interface Preview {
  balances: MovedBalance[];
  invoices: MovedInvoice[];
  late: MovedLate[];
  /** Today's terms, where new amounts follow from them: a name and a value each. */
  terms: [name: string, value: string][];
  warnings: string[];
}

/** Of the one or two entries that a correction becomes. */
export function previewOf(entries: readonly Entry[], before: InForce): Preview {
  return {
    balances: balancesOf(entries),
    invoices: invoicesOf(entries),
    late: entries
      .filter(({ late }) => late)
      .map(({ customer, currency, cost, tax }) => ({
        customer,
        currency,
        cost: plain(cost),
        tax: plain(tax),
      })),
    terms: termsOf(entries),
    warnings: entries.flatMap((entry) => warningsOf(entry, before)),
  };
}

/**
 * Stands for what was shown: with another one something has changed since.
 *
 * @param follows the entry in force
 */
export function previewMark(preview: Preview, follows: string): string {
  return hash('sha256', JSON.stringify([follows, preview]), 'hex');
}

function balancesOf(entries: readonly Entry[]): MovedBalance[] {
  const sums = new Map<number, { currency: string; balance: Amount; calls: number }>();
  for (const { customer, charged, calls, terms } of entries) {
    if (calls === 0 && charged.isZero()) continue;
    const sum = sums.get(customer) ?? { currency: terms.customerCurrency, balance: ZERO, calls: 0 };
    sums.set(customer, { ...sum, balance: sum.balance.minus(charged), calls: sum.calls + calls });
  }
  return [...sums].map(([customer, { currency, balance, calls }]) => ({
    ...{ customer, currency, calls },
    balance: plain(balance),
  }));
}

function invoicesOf(entries: readonly Entry[]): MovedInvoice[] {
  const sums = new Map<number, { currency: string; cost: Amount; tax: Amount; calls: number }>();
  for (const { invoice, invoiceCost, invoiceTax, invoiceCalls, terms } of entries) {
    if (invoice === null || terms.invoiceCurrency === null) continue;
    const sum = sums.get(invoice) ?? { currency: terms.invoiceCurrency, cost: ZERO, tax: ZERO, calls: 0 };
    sums.set(invoice, {
      ...sum,
      cost: sum.cost.plus(invoiceCost),
      tax: sum.tax.plus(invoiceTax),
      calls: sum.calls + invoiceCalls,
    });
  }
  return [...sums].map(([invoice, { currency, cost, tax, calls }]) => ({
    ...{ invoice, currency, calls },
    ...{ cost: plain(cost), tax: plain(tax), total: plain(cost.plus(tax)) },
  }));
}

/** Of the amounts that are booked anew; what is taken back follows from the terms of its day. */
function termsOf(entries: readonly Entry[]): [string, string][] {
  const entry = entries.find(({ kind }) => kind === 'new');
  if (entry === undefined || entries.length === 1) return [];
  const { currencyRate, customerCurrency, customerRate, invoiceCurrency, invoiceRate, taxes, systemRate } =
    entry.terms;
  const rates = new Map([
    [entry.currency, currencyRate],
    [customerCurrency, customerRate],
    ...(invoiceCurrency === null || invoiceRate === null ? [] : ([[invoiceCurrency, invoiceRate]] as const)),
  ]);
  // One currency alone is converted into nothing.
  const named = rates.size > 1 || taxes.some(({ flat }) => !flat.isZero()) ? [...rates] : [];
  return [
    ...named.map(([currency, rate]): [string, string] => [`rate of ${currency}`, plain(rate)]),
    ...taxes.map(({ id, rate, flat, currency, currencyRate: ofFlat }): [string, string] => {
      const parts = [
        ...(rate.isZero() ? [] : [`${plain(rate)} %`]),
        ...(flat.isZero()
          ? []
          : [`${plain(flat)} ${currency ?? 'of the system currency'} (rate ${plain(ofFlat ?? systemRate)})`]),
      ];
      return [`tax ${id}`, parts.join(' and ') || '0 %'];
    }),
  ];
}

function warningsOf(entry: Entry, before: InForce): string[] {
  const { kind, invoice, late, lateEntry, customer, terms } = entry;
  if (kind === 'reversing' && before.invoice !== null && invoice !== before.invoice)
    return [
      late
        ? `the invoice ${before.invoice} is closed, and customer ${customer} has no open invoice in ${terms.invoiceCurrency}: what is taken back is late, on no invoice until one is attached`
        : `the invoice ${before.invoice} is closed: the entry goes to invoice ${invoice}`,
    ];
  if (kind === 'reversing' && lateEntry !== null)
    return ['the amounts in force are on no invoice, so none loses them'];
  if (kind === 'new' && late)
    return [
      `customer ${customer} has no open invoice: the new amounts are late, on no invoice until one is attached`,
    ];
  if (kind === 'new' && invoice !== null && before.invoice !== null && invoice !== before.invoice)
    return [`the new amounts go to invoice ${invoice}, in ${terms.invoiceCurrency}`];
  return [];
}
