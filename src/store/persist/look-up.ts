import type { BillingRules, LateCallRule, References } from '../../domain/charge.ts';
import { taxItems } from '../../domain/contract.ts';
import type { Call } from '../../domain/decide.ts';
import type { FoundLookups } from '../../domain/resolve.ts';
import { isOpen, nextAfter, openInvoicesOf } from '../open-invoices.ts';
import { frequent, type Sql, type Statement } from '../sql.ts';
import { foundLookups, NO_KEYS, ownersOf, type WantedKeys, wantedKeys } from './keys.ts';
import { type FoundReferences, NONE, referencesIn } from './references.ts';
import type { Claims } from './replay-claims.ts';

/** What the database knows about the calls of a batch: which are stored already, and everything they refer to. */
export interface Lookup {
  /** Fingerprint (hex) by stored uniqueid. */
  stored: ReadonlyMap<string, string>;
  references: References;
  /** For the calls of feeds. */
  found: FoundLookups;
  /** Of its replays; missing where they have not been asked for. */
  claims?: Claims;
}

/** A `union` compares whole rows: of an invoice no more than is told. */
const invoiceOf = (row: string) =>
  ['id', 'customer', 'currency', 'status', 'period_start', 'period_end']
    .map((name) => `${row}.${name}`)
    .join(', ');

const DURING_THE_CALLS = 'period_start <= to_timestamp($9::float8) and period_end > to_timestamp($8::float8)';

/**
 * One round trip, no locks. Every list is joined, not compared with `= any (…)`: on a small table PostgreSQL would
 * read all of it and go through the list for each row. Calls and open invoices are looked up one by one (`limit`,
 * `offset`): PostgreSQL underestimates both how many are wanted and how many there are, and keeps the plan that it made on
 * that estimate. Everything comes by primary key or unique index except the open invoices, which come by (customer,
 * status, period_start); currencies are few and read whole, as one text that tells whether they are still the same.
 */
const lookUpWith = (keys: {
  found: string;
  customers: string;
  invoiced: string;
  next: string;
  lists: string;
}) => `${keys.found}
  select json_build_object(
    'stored', (select coalesce(json_agg(json_build_array(uniqueid, encode(fingerprint, 'hex'))), '[]')
      from unnest($1::text[]) as wanted(id)
      cross join lateral (select uniqueid, fingerprint from known_calls where uniqueid = wanted.id limit 1) as known),
    'currencies', (select coalesce(json_agg(json_build_array(code, rate::text)), '[]')::text from currencies),
    'customers', (select coalesce(json_agg(json_build_array(id, currency)), '[]')
      from ${keys.customers} as wanted(id) join customers using (id)),
    'peers', (select coalesce(json_agg(id), '[]') from unnest($3::int[]) as wanted(id) join peers using (id)),
    'taxes', (select coalesce(json_agg(json_build_array(id, name, rate::text, flat::text, currency)), '[]')
      from (
        select taxes.* from unnest($4::int[]) as wanted(id) join taxes using (id)
        union
        select taxes.* from unnest($5::text[]) as wanted(name) join taxes using (name)
      ) as tax),
    'invoices', (select coalesce(json_agg(json_build_array(id, customer, currency, ${isOpen('status', '$10')},
        extract(epoch from period_start)::float8::text, extract(epoch from period_end)::float8::text)
        order by period_start, id), '[]')
      from (
        select ${invoiceOf('invoices')} from unnest($6::int[]) as wanted(id) join invoices using (id)
        union
        select ${invoiceOf('open')} from ${keys.invoiced} as wanted(id)
        cross join ${openInvoicesOf('wanted.id', '$10', DURING_THE_CALLS)}${keys.next}
      ) as invoice)${keys.lists}
  )::text as found`;

/** For a batch of the contract's own calls. */
const OF_CALLS = {
  found: '',
  customers: 'unnest($2::int[])',
  invoiced: 'unnest($7::int[])',
  next: '',
  lists: '',
};

/**
 * For a batch with calls of feeds. Their customers are found by key, at the start of each call, and looked up with the
 * others. Two rows are enough to know that one key has several.
 */
const WITH_KEYS = {
  found: `
  with owner as materialized (
    select wanted.position, owner.customer
    from unnest($11::text[], $12::text[], $13::float8[]) with ordinality as wanted(kind, key, start, position)
    cross join lateral (${ownersOf('wanted')} limit 2) as owner)`,
  customers: '(select unnest($2::int[]) union select customer from owner)',
  invoiced: '(select unnest($7::int[]) union select customer from owner)',
  next: '',
  lists: `,
    'owners', (select coalesce(json_agg(json_build_array(position, customer)), '[]') from owner),
    'namedPeers', (select coalesce(json_agg(json_build_array(name, id)), '[]')
      from unnest($14::text[]) as wanted(name) join peers using (name))`,
};

/** Where late calls go to the next open invoice: among those that begin during the calls, or the first after all of them. */
const next = (invoiced: string) => `
        union
        select ${invoiceOf('open')} from ${invoiced} as wanted(id)
        cross join ${openInvoicesOf('wanted.id', '$10', nextAfter('to_timestamp($9::float8)'))}`;

const LOOK_UP: Record<LateCallRule, { ofCalls: Statement; withKeys: Statement }> = {
  hold: {
    ofCalls: frequent('persist.look-up', lookUpWith(OF_CALLS)),
    withKeys: frequent('persist.look-up-with-keys', lookUpWith(WITH_KEYS)),
  },
  next: {
    ofCalls: frequent('persist.look-up-next', lookUpWith({ ...OF_CALLS, next: next(OF_CALLS.invoiced) })),
    withKeys: frequent(
      'persist.look-up-next-with-keys',
      lookUpWith({ ...WITH_KEYS, next: next(WITH_KEYS.invoiced) }),
    ),
  },
};

/** The JSON that a lookup builds. Not checked for each batch: a test checks it (test/integration/json-shapes.test.ts). */
export interface Found extends FoundReferences {
  stored: [string, string][];
}

/** The JSON that a lookup with keys builds. */
export interface FoundWithKeys extends Found {
  /** Customers by the position of their key, from 1. */
  owners: [number, number][];
  namedPeers: [string, number][];
}

const NOTHING: Found = { stored: [], currencies: '[]', customers: [], peers: [], taxes: [], invoices: [] };

/** Looks up what a batch of calls refers to. Throws what the database throws. */
export async function lookUp(sql: Sql, calls: readonly Call[], billing: BillingRules): Promise<Lookup> {
  const keys = wantedKeys(calls);
  const found = calls.length === 0 ? NOTHING : foundIn(await ask(sql, wanted(calls, billing), keys, billing));
  return {
    stored: found.stored.length === 0 ? NONE : new Map(found.stored),
    references: referencesIn(found, billing),
    found: foundLookups(keys, found),
  };
}

/** Looks up what is wanted beside a batch. Throws what the database throws. */
export async function findReferences(sql: Sql, values: Wanted, billing: BillingRules): Promise<References> {
  return referencesIn(foundIn(await ask(sql, values, NO_KEYS, billing)), billing);
}

interface FoundRow {
  found: string;
}

function ask(sql: Sql, values: Wanted, keys: WantedKeys, { lateCalls }: BillingRules): Promise<FoundRow[]> {
  const statements = LOOK_UP[lateCalls];
  return keys.keys.length === 0 && keys.peers.length === 0
    ? sql<FoundRow>(statements.ofCalls, values)
    : sql<FoundRow>(statements.withKeys, [...values, ...keyValues(keys)]);
}

function foundIn([row]: readonly FoundRow[]): Found | FoundWithKeys {
  return row === undefined ? NOTHING : (JSON.parse(row.found) as Found | FoundWithKeys);
}

function keyValues({ keys, peers }: WantedKeys): unknown[] {
  return [keys.map(({ kind }) => kind), keys.map(({ key }) => key), keys.map(({ start }) => start), peers];
}

/** The values of a lookup: the keys to look up, each once, the span of the calls, and which invoices are open. */
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
  openStatuses: readonly string[],
];

/** A list that stays empty, as most do in a batch of one message, is not collected in a set. */
function wanted(calls: readonly Call[], { openStatuses }: BillingRules): Wanted {
  const uniqueids = new Set<string>();
  const customers = new Set<number>();
  let peers: Set<number> | undefined;
  let invoices: Set<number> | undefined;
  let invoiceCustomers: Set<number> | undefined;
  let taxIds: Set<number> | undefined;
  let taxNames: Set<string> | undefined;
  let firstStart = Number.POSITIVE_INFINITY;
  let lastStart = 0;
  for (const { cdr } of calls) {
    uniqueids.add(cdr.uniqueid);
    customers.add(cdr.scustomer).add(cdr.dcustomer);
    if (cdr.peer !== 0) peers = (peers ?? new Set()).add(cdr.peer);
    if (cdr.invoice !== 0) invoices = (invoices ?? new Set()).add(cdr.invoice);
    else if (cdr.update_invoices === 1) invoiceCustomers = (invoiceCustomers ?? new Set()).add(cdr.scustomer);
    for (const item of cdr.taxes === '' ? [] : taxItems(cdr.taxes)) {
      if (/^\d+$/.test(item)) taxIds = (taxIds ?? new Set()).add(Number(item));
      else taxNames = (taxNames ?? new Set()).add(item);
    }
    firstStart = Math.min(firstStart, cdr.start);
    lastStart = Math.max(lastStart, cdr.start);
  }
  return [
    [...uniqueids],
    [...customers],
    listOf(peers),
    listOf(taxIds),
    listOf(taxNames),
    listOf(invoices),
    listOf(invoiceCustomers),
    firstStart,
    lastStart,
    openStatuses,
  ];
}

function listOf<Value>(values: ReadonlySet<Value> | undefined): Value[] {
  return values === undefined ? [] : [...values];
}
