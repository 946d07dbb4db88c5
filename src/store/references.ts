import type { Cdr } from '../domain/cdr.ts';
import type { Invoice, References, Tax } from '../domain/charge.ts';
import { taxItems } from '../domain/contract.ts';
import { amount } from '../domain/money.ts';
import type { Sql } from './sql.ts';

/** What the database says about the calls of a batch: stored uniqueids and everything the calls refer to. */
export interface Known {
  /** Fingerprint (hex) by stored uniqueid. */
  stored: ReadonlyMap<string, string>;
  references: References;
}

/**
 * One round trip, no locks. Every lookup is by primary key or unique index except the open invoices, which
 * come by (customer, status, period_start); currencies are few and read whole.
 */
const READ = `
  select json_build_object(
    'stored', (select coalesce(json_agg(json_build_array(uniqueid, encode(fingerprint, 'hex'))), '[]')
      from known_calls where uniqueid = any(array(select json_array_elements_text($1::json -> 'uniqueids')))),
    'currencies', (select coalesce(json_agg(json_build_array(code, rate::text)), '[]') from currencies),
    'customers', (select coalesce(json_agg(json_build_array(id, currency)), '[]')
      from customers where id = any(array(select json_array_elements_text($1::json -> 'customers')::int))),
    'peers', (select coalesce(json_agg(id), '[]')
      from peers where id = any(array(select json_array_elements_text($1::json -> 'peers')::int))),
    'taxes', (select coalesce(json_agg(json_build_array(id, name, rate::text, flat::text)), '[]')
      from taxes where id = any(array(select json_array_elements_text($1::json -> 'taxIds')::int))
         or name = any(array(select json_array_elements_text($1::json -> 'taxNames')))),
    'invoices', (select coalesce(json_agg(json_build_array(id, customer, currency, status = 'open',
        extract(epoch from period_start)::float8::text, extract(epoch from period_end)::float8::text)
        order by period_start, id), '[]')
      from (
        select * from invoices where id = any(array(select json_array_elements_text($1::json -> 'invoices')::int))
        union
        select * from invoices where status = 'open'
          and customer = any(array(select json_array_elements_text($1::json -> 'invoiceCustomers')::int))
          and period_start <= to_timestamp(($1::json ->> 'lastStart')::float8)
          and period_end > to_timestamp(($1::json ->> 'firstStart')::float8)
      ) as invoice)
  )::text as known`;

type Answer = {
  stored: [string, string][];
  currencies: [string, string][];
  customers: [number, string][];
  peers: number[];
  taxes: [number, string, string, string][];
  invoices: [number, number, string, boolean, string, string][];
};

const NOTHING: Answer = { stored: [], currencies: [], customers: [], peers: [], taxes: [], invoices: [] };

async function read(sql: Sql, calls: readonly Cdr[]): Promise<Answer> {
  const [row] = await sql<{ known: string }>(READ, [JSON.stringify(wanted(calls))]);
  return row === undefined ? NOTHING : (JSON.parse(row.known) as Answer);
}

/** Reads what a batch of calls refers to. Throws what the database throws. */
export async function readKnown(sql: Sql, calls: readonly Cdr[], systemCurrency: string): Promise<Known> {
  const answer = calls.length === 0 ? NOTHING : await read(sql, calls);
  const taxes = answer.taxes.map(
    ([id, name, rate, flat]): Tax => ({ id, name, rate: amount(rate), flat: amount(flat) }),
  );
  const invoices = answer.invoices.map(
    ([id, customer, currency, open, start, end]): Invoice => ({
      id,
      customer,
      currency: currency.trimEnd(),
      open,
      periodStart: Number(start),
      periodEnd: Number(end),
    }),
  );
  return {
    stored: new Map(answer.stored),
    references: {
      systemCurrency,
      currencies: new Map(answer.currencies.map(([code, rate]) => [code.trimEnd(), amount(rate)])),
      customers: new Map(answer.customers.map(([id, currency]) => [id, currency.trimEnd()])),
      peers: new Set(answer.peers),
      taxesById: new Map(taxes.map((tax) => [tax.id, tax])),
      taxesByName: new Map(taxes.map((tax) => [tax.name, tax])),
      invoices: new Map(invoices.map((invoice) => [invoice.id, invoice])),
      openInvoices: openByCustomer(invoices),
    },
  };
}

/** Keeps the order of the query: earliest period first, then lowest id. */
function openByCustomer(invoices: readonly Invoice[]): Map<number, Invoice[]> {
  const open = new Map<number, Invoice[]>();
  for (const invoice of invoices.filter((one) => one.open)) {
    const others = open.get(invoice.customer);
    if (others) others.push(invoice);
    else open.set(invoice.customer, [invoice]);
  }
  return open;
}

/** The keys to look up, each once. */
function wanted(calls: readonly Cdr[]) {
  const uniqueids = new Set<string>();
  const customers = new Set<number>();
  const peers = new Set<number>();
  const invoices = new Set<number>();
  const invoiceCustomers = new Set<number>();
  const taxIds = new Set<string>();
  const taxNames = new Set<string>();
  let firstStart = Number.POSITIVE_INFINITY;
  let lastStart = 0;
  for (const cdr of calls) {
    uniqueids.add(cdr.uniqueid);
    customers.add(cdr.scustomer).add(cdr.dcustomer);
    if (cdr.peer !== 0) peers.add(cdr.peer);
    if (cdr.invoice !== 0) invoices.add(cdr.invoice);
    else if (cdr.update_invoices === 1) invoiceCustomers.add(cdr.scustomer);
    for (const item of cdr.taxes === '' ? [] : taxItems(cdr.taxes)) {
      if (/^\d+$/.test(item)) taxIds.add(item);
      else taxNames.add(item);
    }
    firstStart = Math.min(firstStart, cdr.start);
    lastStart = Math.max(lastStart, cdr.start);
  }
  return {
    uniqueids: [...uniqueids],
    customers: [...customers],
    peers: [...peers],
    invoices: [...invoices],
    invoiceCustomers: [...invoiceCustomers],
    taxIds: [...taxIds],
    taxNames: [...taxNames],
    firstStart,
    lastStart,
  };
}
