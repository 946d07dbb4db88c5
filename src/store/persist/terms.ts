import type { ChargedCall } from '../../domain/bill.ts';
import type { References } from '../../domain/charge.ts';
import type { Call } from '../../domain/decide.ts';
import { plain } from '../../domain/money.ts';
import { keyAt } from '../../domain/resolve.ts';
import { isOpen, nextAfter, openInvoicesOf } from '../open-invoices.ts';
import { ownersOf, type WantedKey } from './keys.ts';

/** A call about to be stored, with its charge. */
export interface Charged extends ChargedCall {
  call: Call;
}

/**
 * Everything a batch was charged on, as JSON for the statement that stores it, which checks it again: the billing system may
 * have changed it since it was looked up. What has nothing in it is left out.
 */
export function termsOf(charged: readonly Charged[], references: References): string {
  const currencies = new Set<string>(charged.length > 0 ? [references.systemCurrency] : []);
  const customers = new Set<number>();
  // Most of these stay empty in a batch of one message, and a map or set takes 200 bytes.
  let peers: Set<number> | undefined;
  let taxes: Map<number, { id: number; rate: string; flat: string; currency: string | null }> | undefined;
  let invoices: Map<number, InvoiceTerm> | undefined;
  let keys: Map<string, WantedKey & { customer: number }> | undefined;
  let namedPeers: Map<string, { name: string; id: number }> | undefined;
  const uncovered: { customer: number; start: number }[] = [];
  const next: { customer: number; start: number; invoice: number | null }[] = [];
  for (const { call, charge } of charged) {
    const { cdr } = call;
    const { terms } = charge;
    currencies.add(cdr.currency).add(terms.customerCurrency);
    customers.add(cdr.scustomer).add(cdr.dcustomer);
    if (cdr.peer !== 0) peers = (peers ?? new Set()).add(cdr.peer);
    for (const { id, rate, flat, currency } of terms.taxes) {
      taxes = (taxes ?? new Map()).set(id, { id, rate: plain(rate), flat: plain(flat), currency });
      if (currency !== null) currencies.add(currency);
    }
    if (charge.invoice !== null && terms.invoiceCurrency !== null) {
      currencies.add(terms.invoiceCurrency);
      const open = cdr.update_invoices === 1 || invoices?.get(charge.invoice)?.open === true;
      invoices = (invoices ?? new Map()).set(charge.invoice, {
        id: charge.invoice,
        customer: cdr.scustomer,
        currency: terms.invoiceCurrency,
        open,
      });
    }
    if (cdr.update_invoices === 1 && (charge.invoice === null || charge.invoiceLate)) {
      const late = { customer: cdr.scustomer, start: cdr.start };
      uncovered.push(late);
      if (references.lateCalls === 'next') next.push({ ...late, invoice: charge.invoice });
    }
    for (const lookup of call.feed?.lookups ?? []) {
      const { start } = cdr;
      if (lookup.parameter === 'peer') {
        const { name } = lookup;
        namedPeers = (namedPeers ?? new Map()).set(name, { name, id: cdr.peer });
      } else {
        const { kind, key } = lookup;
        const customer = cdr[lookup.parameter];
        keys = (keys ?? new Map()).set(keyAt(kind, key, start), { kind, key, start, customer });
      }
    }
  }
  const rateOf = (code: string) => references.currencies.get(code);
  return JSON.stringify({
    // A null rate: the system currency had no row, and must still have none.
    currencies: [...currencies].map((code) => ({ code, rate: textOrNull(rateOf(code)) })),
    customers: [...customers],
    customerCurrencies: Array.from(customers, (id) => references.customers.get(id) ?? null),
    peers: peers && Array.from(peers, (id) => ({ id })),
    taxes: valuesOf(taxes),
    ...invoiceTerms(valuesOf(invoices)),
    uncovered: unlessEmpty(uncovered),
    next: unlessEmpty(next),
    keys: valuesOf(keys),
    namedPeers: valuesOf(namedPeers),
  } satisfies Record<keyof typeof NO_TERMS, unknown>);
}

function valuesOf<Value>(map: ReadonlyMap<unknown, Value> | undefined): Value[] | undefined {
  return map && [...map.values()];
}

function unlessEmpty<Value>(list: readonly Value[]): readonly Value[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** A rate as the terms have it. Null: the system currency has no row. */
export function textOrNull(rate: Parameters<typeof plain>[0] | undefined): string | null {
  return rate === undefined ? null : plain(rate);
}

interface InvoiceTerm {
  id: number;
  customer: number;
  currency: string | null;
  open: boolean;
}

/** Invoices and customers are many, and go as columns: objects cost PostgreSQL more to read. */
export function invoiceTerms(invoices: readonly InvoiceTerm[] | undefined) {
  return {
    invoices: invoices?.map(({ id }) => id),
    invoiceCustomers: invoices?.map(({ customer }) => customer),
    invoiceCurrencies: invoices?.map(({ currency }) => currency),
    invoicesOpen: invoices?.map(({ open }) => open),
  };
}

/** What `termsHold` reads, with nothing in it. */
export const NO_TERMS = {
  currencies: [],
  customers: [],
  customerCurrencies: [],
  peers: [],
  taxes: [],
  ...invoiceTerms([]),
  uncovered: [],
  next: [],
  keys: [],
  namedPeers: [],
};

const DURING_THE_CALL = 'period_start <= to_timestamp(term.start) and to_timestamp(term.start) < period_end';

/**
 * One row, true: every term still holds in this statement's snapshot. `settle_assert` raises CDR01 otherwise.
 * `$2` is what `termsOf` wrote, in which a list that is missing is empty, `$3` the statuses of open invoices. It is taken apart once: `$2 -> 'peers'` would read all of it for each list.
 */
export const termsHold = `
  select settle_assert(not exists (
      select from json_to_recordset(list.currencies) as term(code char(3), rate numeric)
      left join currencies c using (code) where c.rate is distinct from term.rate), 'a currency rate moved')
    and settle_assert(not exists (
      select from unnest(list.customers, list."customerCurrencies") as term(id, currency)
      left join customers c using (id) where c.currency is distinct from term.currency), 'a customer changed')
    and settle_assert(not exists (
      select from json_to_recordset(list.peers) as term(id int)
      left join peers p using (id) where p.id is null), 'a peer vanished')
    and settle_assert(not exists (
      select from json_to_recordset(list.taxes) as term(id int, rate numeric, flat numeric, currency char(3))
      left join taxes t using (id)
      where t.rate is distinct from term.rate or t.flat is distinct from term.flat
        or t.currency is distinct from term.currency), 'a tax changed')
    and settle_assert(not exists (
      select from unnest(list.invoices, list."invoiceCustomers", list."invoiceCurrencies", list."invoicesOpen")
        as term(id, customer, currency, open)
      left join invoices i using (id)
      where i.customer is distinct from term.customer or i.currency is distinct from term.currency
        or (term.open and not ${isOpen('i.status', '$3')})), 'an invoice changed')
    and settle_assert(not exists (
      select from json_to_recordset(list.uncovered) as term(customer int, start float8)
      cross join ${openInvoicesOf('term.customer', '$3', DURING_THE_CALL)}),
      'an invoice was opened')
    and settle_assert(not exists (
      select from json_to_recordset(list.next) as term(customer int, start float8, invoice int)
      where invoice is distinct from (
        select open.id from ${openInvoicesOf('term.customer', '$3', nextAfter('to_timestamp(term.start)'))}
        order by open.period_start, open.id limit 1)), 'another invoice is next')
    and settle_assert(not exists (
      select from json_to_recordset(list.keys) as term(kind text, key text, start float8, customer int)
      where array(${ownersOf('term')}) <> array[customer]), 'a key changed hands')
    and settle_assert(not exists (
      select from json_to_recordset(list."namedPeers") as term(name text, id int)
      left join peers p using (name) group by name, term.id having array_agg(p.id) <> array[term.id]),
      'a peer has another name') as hold
  from json_to_record($2::json) as list(currencies json, customers int[], "customerCurrencies" char(3)[], peers json,
    taxes json, invoices int[], "invoiceCustomers" int[], "invoiceCurrencies" char(3)[], "invoicesOpen" boolean[],
    uncovered json, next json, keys json, "namedPeers" json)`;
