import type { Cdr } from '../../domain/cdr.ts';
import type { Invoice, References, Tax } from '../../domain/charge.ts';
import { taxItems } from '../../domain/contract.ts';
import { amount } from '../../domain/money.ts';
import type { Sql } from '../sql.ts';

/** What the database says about the calls of a batch: stored uniqueids and everything the calls refer to. */
export interface Known {
  /** Fingerprint (hex) by stored uniqueid. */
  stored: ReadonlyMap<string, string>;
  references: References;
}

/**
 * One round trip, no locks. Every list is joined, not compared with `= any (…)`: on a small table PostgreSQL would
 * read all of it and go through the list for each row. Calls and open invoices are looked up one by one (`limit`,
 * `offset`), because it guesses too low how many are wanted and too low how many there are, and a plan made on such a
 * guess stays. Every lookup is by primary key or unique index except the open invoices, which come by (customer,
 * status, period_start); currencies are few and read whole.
 */
const READ = `
  select json_build_object(
    'stored', (select coalesce(json_agg(json_build_array(uniqueid, encode(fingerprint, 'hex'))), '[]')
      from unnest($1::text[]) as wanted(id)
      cross join lateral (select uniqueid, fingerprint from known_calls where uniqueid = wanted.id limit 1) as known),
    'currencies', (select coalesce(json_agg(json_build_array(code, rate::text)), '[]') from currencies),
    'customers', (select coalesce(json_agg(json_build_array(id, currency)), '[]')
      from unnest($2::int[]) as wanted(id) join customers using (id)),
    'peers', (select coalesce(json_agg(id), '[]') from unnest($3::int[]) as wanted(id) join peers using (id)),
    'taxes', (select coalesce(json_agg(json_build_array(id, name, rate::text, flat::text)), '[]')
      from (
        select taxes.* from unnest($4::int[]) as wanted(id) join taxes using (id)
        union
        select taxes.* from unnest($5::text[]) as wanted(name) join taxes using (name)
      ) as tax),
    'invoices', (select coalesce(json_agg(json_build_array(id, customer, currency, status = 'open',
        extract(epoch from period_start)::float8::text, extract(epoch from period_end)::float8::text)
        order by period_start, id), '[]')
      from (
        select invoices.* from unnest($6::int[]) as wanted(id) join invoices using (id)
        union
        select open.* from unnest($7::int[]) as wanted(id)
        cross join lateral (
          select * from invoices where customer = wanted.id and status = 'open'
            and period_start <= to_timestamp($9::float8) and period_end > to_timestamp($8::float8)
          offset 0) as open
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
  const [row] = await sql<{ known: string }>(READ, wanted(calls));
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

/** The values of READ: the keys to look up, each once, and the span of the calls. */
function wanted(calls: readonly Cdr[]): unknown[] {
  const uniqueids = new Set<string>();
  const customers = new Set<number>();
  const peers = new Set<number>();
  const invoices = new Set<number>();
  const invoiceCustomers = new Set<number>();
  const taxIds = new Set<number>();
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
      if (/^\d+$/.test(item)) taxIds.add(Number(item));
      else taxNames.add(item);
    }
    firstStart = Math.min(firstStart, cdr.start);
    lastStart = Math.max(lastStart, cdr.start);
  }
  const lists = [uniqueids, customers, peers, taxIds, taxNames, invoices, invoiceCustomers];
  return [...lists.map((list) => [...list]), firstStart, lastStart];
}
