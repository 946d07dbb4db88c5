import type { Cdr } from '../../domain/cdr.ts';
import type { Invoice, References, Tax } from '../../domain/charge.ts';
import { taxItems } from '../../domain/contract.ts';
import { amount } from '../../domain/money.ts';
import { type Sql, statement } from '../sql.ts';

/** What the database knows about the calls of a batch: which are stored already, and everything they refer to. */
export interface Lookup {
  /** Fingerprint (hex) by stored uniqueid. */
  stored: ReadonlyMap<string, string>;
  references: References;
}

/**
 * One round trip, no locks. Every list is joined, not compared with `= any (…)`: on a small table PostgreSQL would
 * read all of it and go through the list for each row. Calls and open invoices are looked up one by one (`limit`,
 * `offset`): PostgreSQL underestimates both how many are wanted and how many there are, and keeps the plan that it made on
 * that estimate. Everything comes by primary key or unique index except the open invoices, which come by (customer,
 * status, period_start); currencies are few and read whole.
 */
const LOOK_UP = statement(
  'persist.look-up',
  `
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
  )::text as found`,
);

/** The JSON that LOOK_UP builds. Not checked for each batch: a test checks it (test/integration/json-shapes.test.ts). */
export interface Found {
  stored: [string, string][];
  currencies: [string, string][];
  customers: [number, string][];
  peers: number[];
  taxes: [number, string, string, string][];
  invoices: [number, number, string, boolean, string, string][];
}

const NOTHING: Found = { stored: [], currencies: [], customers: [], peers: [], taxes: [], invoices: [] };

/** Looks up what a batch of calls refers to. Throws what the database throws. */
export async function lookUp(sql: Sql, calls: readonly Cdr[], systemCurrency: string): Promise<Lookup> {
  const found = calls.length === 0 ? NOTHING : await find(sql, calls);
  const taxes = found.taxes.map(
    ([id, name, rate, flat]): Tax => ({ id, name, rate: amount(rate), flat: amount(flat) }),
  );
  const invoices = found.invoices.map(
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
    stored: new Map(found.stored),
    references: {
      systemCurrency,
      currencies: new Map(found.currencies.map(([code, rate]) => [code.trimEnd(), amount(rate)])),
      customers: new Map(found.customers.map(([id, currency]) => [id, currency.trimEnd()])),
      peers: new Set(found.peers),
      taxesById: new Map(taxes.map((tax) => [tax.id, tax])),
      taxesByName: new Map(taxes.map((tax) => [tax.name, tax])),
      invoices: new Map(invoices.map((invoice) => [invoice.id, invoice])),
      openInvoices: openByCustomer(invoices),
    },
  };
}

async function find(sql: Sql, calls: readonly Cdr[]): Promise<Found> {
  const [row] = await sql<{ found: string }>(LOOK_UP, wanted(calls));
  return row === undefined ? NOTHING : (JSON.parse(row.found) as Found);
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

/** The values of LOOK_UP: the keys to look up, each once, and the span of the calls. */
export type Wanted = [
  uniqueids: string[],
  customers: number[],
  peers: number[],
  taxIds: number[],
  taxNames: string[],
  invoices: number[],
  invoiceCustomers: number[],
  firstStart: number,
  lastStart: number,
];

function wanted(calls: readonly Cdr[]): Wanted {
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
  return [
    [...uniqueids],
    [...customers],
    [...peers],
    [...taxIds],
    [...taxNames],
    [...invoices],
    [...invoiceCustomers],
    firstStart,
    lastStart,
  ];
}
