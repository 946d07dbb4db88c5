import type { Cdr } from './cdr.ts';
import { taxItems } from './contract.ts';
import {
  type Amount,
  amount,
  convert,
  fits,
  isSame,
  PAR,
  plain,
  plus,
  type Rate,
  taxOn,
  ZERO,
} from './money.ts';
import { shown } from './text.ts';
import type { ParameterError } from './validate.ts';

export interface Tax {
  id: number;
  name: string;
  /** Percent of the cost. */
  rate: Amount;
  /** In the tax's own currency. */
  flat: Amount;
  /** Null is the system currency. */
  currency: string | null;
}

/** A tax as a call was charged with it; the rate is that of its currency, null where that is the system currency's. */
export interface ChargedTax extends Omit<Tax, 'name'> {
  currencyRate: Rate | null;
}

/** What of a call decides its charge. */
export type Chargeable = Pick<
  Cdr,
  | 'start'
  | 'scustomer'
  | 'dcustomer'
  | 'peer'
  | 'invoice'
  | 'cost'
  | 'currency'
  | 'taxes'
  | 'update_balance'
  | 'update_invoices'
>;

export interface Invoice {
  id: number;
  customer: number;
  currency: string;
  open: boolean;
  /** Unix seconds with a fraction: start inclusive, end exclusive. */
  periodStart: number;
  periodEnd: number;
}

/**
 * What becomes of a call that belongs on an invoice when no open one covers its start: `hold` stores it on none, `next` puts it on
 * the customer's next open invoice.
 */
export const lateCallRules = ['hold', 'next'] as const;
export type LateCallRule = (typeof lateCallRules)[number];

/** What an installation decides about money. */
export interface BillingRules {
  systemCurrency: string;
  /** The words of `invoices.status` that mean that the invoice may take calls. */
  openStatuses: readonly string[];
  lateCalls: LateCallRule;
}

/** What the billing system says about the calls of a batch, read together. */
export interface References {
  systemCurrency: string;
  lateCalls: LateCallRule;
  currencies: ReadonlyMap<string, Rate>;
  /** Currency by customer. */
  customers: ReadonlyMap<number, string>;
  peers: ReadonlySet<number>;
  taxesById: ReadonlyMap<number, Tax>;
  taxesByName: ReadonlyMap<string, Tax>;
  invoices: ReadonlyMap<number, Invoice>;
  /** Open invoices by customer, earliest period first, then lowest id. */
  openInvoices: ReadonlyMap<number, readonly Invoice[]>;
}

/** What a call costs and moves, and the terms of that. `reconcile` computes the amounts again from the terms alone. */
export interface Charge {
  /** Sum of the taxes in the call's currency. */
  tax: Amount;
  /** The amount by which the customer's balance falls, in the customer's currency; 0 if the balance stays. */
  charged: Amount;
  /** The invoice that gains the call or is named by it, null for none. */
  invoice: number | null;
  /** That invoice is the next one: no open one covers the call's start. */
  invoiceLate: boolean;
  invoiceCost: Amount;
  invoiceTax: Amount;
  terms: Terms;
}

export interface Terms {
  systemRate: Rate;
  currencyRate: Rate;
  customerCurrency: string;
  customerRate: Rate;
  invoiceCurrency: string | null;
  invoiceRate: Rate | null;
  taxes: readonly ChargedTax[];
}

export type Charging = { kind: 'charged'; charge: Charge } | { kind: 'refused'; errors: ParameterError[] };

/**
 * Charges a call: taxes, what the balance falls by, what the invoice gains (docs/interface.md, section 4). Refuses a
 * call that names what does not exist, with every such parameter at once. Credit is never a reason to refuse.
 */
export function charge(cdr: Chargeable, references: References): Charging {
  const errors: ParameterError[] = [];
  const customer = currencyOfCustomer(cdr, references, errors);
  if (cdr.dcustomer !== cdr.scustomer && !references.customers.has(cdr.dcustomer)) {
    errors.push({ key: 'dcustomer', message: noSuch('customer', cdr.dcustomer) });
  }
  if (cdr.peer !== 0 && !references.peers.has(cdr.peer))
    errors.push({ key: 'peer', message: noSuch('peer', cdr.peer) });
  const currencyRate = rateOf(cdr.currency, references);
  if (currencyRate === undefined)
    errors.push({ key: 'currency', message: `unknown currency ${shown(cdr.currency)}` });
  const taxes = taxesOf(cdr, references, errors);
  const { invoice, isLate } = invoiceOf(cdr, references, errors);
  const invoiceRate = invoice === undefined ? undefined : rateOf(invoice.currency, references);
  if (invoice !== undefined && invoiceRate === undefined) {
    errors.push({
      key: 'invoice',
      message: `invoice ${invoice.id} is in ${shown(invoice.currency)}, which has no exchange rate`,
    });
  }
  if (errors.length > 0 || customer === undefined || currencyRate === undefined)
    return { kind: 'refused', errors };

  const terms: Terms = {
    systemRate: rateOf(references.systemCurrency, references) ?? PAR,
    currencyRate,
    customerCurrency: customer.currency,
    customerRate: customer.rate,
    invoiceCurrency: invoice?.currency ?? null,
    invoiceRate: invoiceRate ?? null,
    taxes,
  };
  const { tax, charged, invoiceCost, invoiceTax } = amounts(cdr, terms);
  if (!fits(tax)) return tooLarge(tax);
  if (!fits(charged)) return tooLarge(charged);
  if (!fits(invoiceCost)) return tooLarge(invoiceCost);
  if (!fits(invoiceTax)) return tooLarge(invoiceTax);
  const id = invoice?.id ?? null;
  return {
    kind: 'charged',
    charge: { tax, charged, invoice: id, invoiceLate: isLate, invoiceCost, invoiceTax, terms },
  };
}

function tooLarge(sum: Amount): Charging {
  return {
    kind: 'refused',
    errors: [{ key: 'cost', message: `charged amount ${plain(sum)} exceeds the maximum` }],
  };
}

/**
 * The amounts that follow from a call and its terms. The taxes are rounded one by one; cost and tax are
 * converted and rounded one by one, for the customer and for the invoice alike, so that bills and balances
 * never drift apart.
 */
export function amounts(cdr: Pick<Cdr, 'cost' | 'update_balance' | 'update_invoices'>, terms: Terms) {
  const { currencyRate, customerRate, invoiceRate } = terms;
  const cost = amount(cdr.cost);
  let tax = ZERO;
  for (const each of terms.taxes)
    tax = plus(tax, taxOn(cost, each.rate, each.flat, currencyRate, each.currencyRate ?? terms.systemRate));
  const isCharged = cdr.update_balance === 1;
  const chargedCost = isCharged ? convert(cost, currencyRate, customerRate) : ZERO;
  const chargedTax = isCharged ? convert(tax, currencyRate, customerRate) : ZERO;
  const charged = plus(chargedCost, chargedTax);
  if (cdr.update_invoices === 0 || invoiceRate === null)
    return { tax, charged, invoiceCost: ZERO, invoiceTax: ZERO };
  // Mostly the customer's currency, into which both have been converted already.
  if (isCharged && isSame(invoiceRate, customerRate))
    return { tax, charged, invoiceCost: chargedCost, invoiceTax: chargedTax };
  return {
    tax,
    charged,
    invoiceCost: convert(cost, currencyRate, invoiceRate),
    invoiceTax: convert(tax, currencyRate, invoiceRate),
  };
}

function noSuch(what: string, id: number): string {
  return `${what} ${id} does not exist`;
}

/** The rate of a currency. That of the system currency is 1 if the billing system has no row for it. */
function rateOf(currency: string, references: References): Rate | undefined {
  return references.currencies.get(currency) ?? (currency === references.systemCurrency ? PAR : undefined);
}

function currencyOfCustomer(cdr: Chargeable, references: References, errors: ParameterError[]) {
  const currency = references.customers.get(cdr.scustomer);
  if (currency === undefined) {
    errors.push({ key: 'scustomer', message: noSuch('customer', cdr.scustomer) });
    return undefined;
  }
  const rate = rateOf(currency, references);
  if (rate === undefined) {
    errors.push({
      key: 'scustomer',
      message: `customer ${cdr.scustomer} has currency ${shown(currency)}, which has no exchange rate`,
    });
    return undefined;
  }
  return { currency, rate };
}

function taxesOf(cdr: Chargeable, references: References, errors: ParameterError[]): ChargedTax[] {
  if (cdr.taxes === '') return [];
  const taxes: ChargedTax[] = [];
  for (const item of taxItems(cdr.taxes)) {
    const tax = /^\d+$/.test(item)
      ? references.taxesById.get(Number(item))
      : references.taxesByName.get(item);
    if (tax === undefined) errors.push({ key: 'taxes', message: `tax ${shown(item)} does not exist` });
    else if (taxes.some(({ id }) => id === tax.id))
      errors.push({ key: 'taxes', message: `tax ${shown(item)} is listed more than once` });
    else {
      const { id, rate, flat, currency } = tax;
      taxes.push({ id, rate, flat, currency, currencyRate: rateOfTax(tax, references, errors) });
    }
    if (tax === undefined) return [];
  }
  return taxes;
}

function rateOfTax({ name, currency }: Tax, references: References, errors: ParameterError[]): Rate | null {
  if (currency === null) return null;
  const rate = rateOf(currency, references);
  if (rate === undefined)
    errors.push({
      key: 'taxes',
      message: `tax ${shown(name)} is in ${shown(currency)}, which has no exchange rate`,
    });
  return rate ?? null;
}

interface ChosenInvoice {
  invoice: Invoice | undefined;
  isLate: boolean;
}

/** The invoice that the call names, else an open one, if there is one for it. */
function invoiceOf(cdr: Chargeable, references: References, errors: ParameterError[]): ChosenInvoice {
  if (cdr.invoice === 0) return openInvoiceOf(cdr, references);
  const invoice = references.invoices.get(cdr.invoice);
  if (invoice === undefined) errors.push({ key: 'invoice', message: noSuch('invoice', cdr.invoice) });
  else if (invoice.customer !== cdr.scustomer) {
    errors.push({
      key: 'invoice',
      message: `invoice ${cdr.invoice} does not belong to customer ${cdr.scustomer}`,
    });
  } else if (cdr.update_invoices === 1 && !invoice.open) {
    errors.push({ key: 'invoice', message: `invoice ${cdr.invoice} is not open` });
  }
  return { invoice, isLate: false };
}

/** The open invoice whose period contains the call's start, else the next one, if late calls go there. */
function openInvoiceOf(cdr: Chargeable, { openInvoices, lateCalls }: References): ChosenInvoice {
  const open = cdr.update_invoices === 0 ? [] : (openInvoices.get(cdr.scustomer) ?? []);
  for (const invoice of open)
    if (invoice.periodStart <= cdr.start && cdr.start < invoice.periodEnd) return { invoice, isLate: false };
  if (lateCalls === 'hold') return { invoice: undefined, isLate: false };
  const next = open.find(({ periodStart, periodEnd }) => periodStart > cdr.start && periodStart < periodEnd);
  return { invoice: next, isLate: next !== undefined };
}
