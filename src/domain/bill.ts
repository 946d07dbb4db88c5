import type { Cdr } from './cdr.ts';
import type { Charge, Terms } from './charge.ts';
import { plain } from './money.ts';

/** A call and what it was charged. */
export interface ChargedCall {
  call: { cdr: Cdr };
  charge: Charge;
}

/** What was charged for a stored call, or moved by a correction, as replies and billed messages tell it. Decimals as plain text. */
export interface Bill {
  uniqueid: string;
  /** The id of the entry; null for the call itself. */
  entry: string | null;
  customer: number;
  /** What the customer's balance fell by, in `currency`. */
  charged: string;
  /** The customer's. */
  currency: string;
  /** Before tax, in `callCurrency`. */
  cost: string;
  /** Sum of the taxes, in `callCurrency`. */
  tax: string;
  callCurrency: string;
  /** The invoice that took it, or that it names; null for none. */
  invoice: number | null;
  /** What the invoice gained, in `invoiceCurrency`. */
  invoiceCost: string;
  invoiceTax: string;
  invoiceCurrency: string | null;
  /** The terms that these amounts follow from. */
  terms: BillTerms;
}

/** Rates in units of a currency per unit of the system currency, as plain decimal text. */
export interface BillTerms {
  systemRate: string;
  currencyRate: string;
  customerRate: string;
  invoiceRate: string | null;
  taxes: readonly BilledTax[];
}

export interface BilledTax {
  id: number;
  rate: string;
  flat: string;
  /** Of `flat`; null is the system currency. */
  currency: string | null;
  currencyRate: string | null;
}

/** The bill of a call that has just been charged. */
export function billFor({ call: { cdr }, charge }: ChargedCall): Bill {
  const { terms } = charge;
  return {
    uniqueid: cdr.uniqueid,
    entry: null,
    customer: cdr.scustomer,
    charged: plain(charge.charged),
    currency: terms.customerCurrency,
    cost: cdr.cost,
    tax: plain(charge.tax),
    callCurrency: cdr.currency,
    invoice: charge.invoice,
    invoiceCost: plain(charge.invoiceCost),
    invoiceTax: plain(charge.invoiceTax),
    invoiceCurrency: terms.invoiceCurrency,
    terms: termsTold(terms),
  };
}

/** Terms as a bill tells them. */
export function termsTold(terms: Terms): BillTerms {
  return {
    systemRate: plain(terms.systemRate),
    currencyRate: plain(terms.currencyRate),
    customerRate: plain(terms.customerRate),
    invoiceRate: terms.invoiceRate && plain(terms.invoiceRate),
    taxes: terms.taxes.map(({ id, rate, flat, currency, currencyRate }) => ({
      id,
      rate: plain(rate),
      flat: plain(flat),
      currency,
      currencyRate: currencyRate && plain(currencyRate),
    })),
  };
}
