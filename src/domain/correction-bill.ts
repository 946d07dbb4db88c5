import { type Bill, termsTold } from './bill.ts';
import type { Entry } from './entry.ts';
import { plain } from './money.ts';

/** What an entry has moved, as its reply tells it. */
export function billOfEntry(entry: Entry): Bill {
  const { id, uniqueid, customer, charged, cost, currency, tax, invoice, invoiceCost, invoiceTax, terms } =
    entry;
  return {
    uniqueid,
    entry: id,
    customer,
    charged: plain(charged),
    currency: terms.customerCurrency,
    cost: plain(cost),
    tax: plain(tax),
    callCurrency: currency,
    invoice,
    invoiceCost: plain(invoiceCost),
    invoiceTax: plain(invoiceTax),
    invoiceCurrency: terms.invoiceCurrency,
    terms: termsTold(terms),
  };
}
