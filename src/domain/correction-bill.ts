import { type Bill, termsTold } from './bill.ts';
import { type Entry, REVERSAL } from './entry.ts';
import { plain } from './money.ts';

/** What the entries of one correction have moved: the one that has its id, and the one that an update reverses first. */
export function billsOfCorrection(
  id: string,
  entries: readonly Entry[],
): { bill: Bill; reversed?: Bill } | undefined {
  const own = entries.find((entry) => entry.id === id);
  const reversal = entries.find((entry) => entry.id === id + REVERSAL);
  if (own === undefined) return undefined;
  return { bill: billOfEntry(own), ...(reversal && { reversed: billOfEntry(reversal) }) };
}

/** What an entry has moved, as its reply tells it. */
function billOfEntry(entry: Entry): Bill {
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
