import type { BillingRules, Invoice, References, Tax } from '../../domain/charge.ts';
import { amount } from '../../domain/money.ts';

/** What calls refer to, in the JSON that a lookup builds. */
export interface FoundReferences {
  /** JSON as text: a list of codes with their rates, `[["EUR","1.08"],…]`. */
  currencies: string;
  customers: [number, string][];
  peers: number[];
  taxes: [number, string, string, string, string | null][];
  invoices: [number, number, string, boolean, string, string][];
  /** Of calls of feeds. */
  namedPeers?: [string, number][];
}

/** Most lists of a batch of one message are empty, and a map takes 200 bytes. */
export const NONE: ReadonlyMap<never, never> = new Map<never, never>();
const NO_PEERS: References['peers'] = new Set();

/** What the calls of a batch refer to, ready to charge them on. */
export function referencesIn(
  { currencies, customers, peers, taxes, invoices, namedPeers = [] }: FoundReferences,
  { systemCurrency, lateCalls }: BillingRules,
): References {
  return {
    systemCurrency,
    lateCalls,
    currencies: currenciesIn(currencies),
    customers: new Map(customers.map(([id, currency]) => [id, currency.trimEnd()])),
    peers:
      peers.length + namedPeers.length === 0
        ? NO_PEERS
        : new Set([...peers, ...namedPeers.map(([, id]) => id)]),
    ...taxesIn(taxes),
    ...invoicesIn(invoices),
  };
}

interface Currencies {
  text: string;
  rates: References['currencies'];
}

let latestCurrencies: Currencies = { text: '[]', rates: NONE };

/** Every lookup tells all currencies, which seldom change: as long as they are the same, so are these rates. */
function currenciesIn(text: string): References['currencies'] {
  if (text !== latestCurrencies.text) {
    const listed = JSON.parse(text) as [code: string, rate: string][];
    latestCurrencies = { text, rates: new Map(listed.map(([code, rate]) => [code.trimEnd(), amount(rate)])) };
  }
  return latestCurrencies.rates;
}

function taxesIn(found: FoundReferences['taxes']): Pick<References, 'taxesById' | 'taxesByName'> {
  if (found.length === 0) return { taxesById: NONE, taxesByName: NONE };
  const taxes = found.map(
    ([id, name, rate, flat, currency]): Tax => ({
      id,
      name,
      rate: amount(rate),
      flat: amount(flat),
      currency: currency?.trimEnd() ?? null,
    }),
  );
  return {
    taxesById: new Map(taxes.map((tax) => [tax.id, tax])),
    taxesByName: new Map(taxes.map((tax) => [tax.name, tax])),
  };
}

/** Keeps the order of the query: earliest period first, then lowest id. */
function invoicesIn(found: FoundReferences['invoices']): Pick<References, 'invoices' | 'openInvoices'> {
  if (found.length === 0) return { invoices: NONE, openInvoices: NONE };
  const invoices = new Map<number, Invoice>();
  const openInvoices = new Map<number, Invoice[]>();
  for (const [id, customer, currency, open, start, end] of found) {
    const invoice: Invoice = {
      id,
      customer,
      currency: currency.trimEnd(),
      open,
      periodStart: Number(start),
      periodEnd: Number(end),
    };
    invoices.set(id, invoice);
    if (!open) continue;
    const others = openInvoices.get(customer);
    if (others) others.push(invoice);
    else openInvoices.set(customer, [invoice]);
  }
  return { invoices, openInvoices };
}
