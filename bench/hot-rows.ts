import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { startPostgres } from '../dev/stack.ts';
import { migrate } from '../src/store/migrate.ts';
import {
  areCustomersMoved,
  areInvoicesMoved,
  moveCustomers,
  moveInvoices,
} from '../src/store/persist/moved-rows.ts';
import { backendCpu } from './backend-cpu.ts';
import { median } from './numbers.ts';
import { CUSTOMERS, HOT_SHARE, referenceStatements } from './workload.ts';

/**
 * What the updates of customers and invoices leave behind, by the settings of their tables:
 *
 *   npx tsx bench/hot-rows.ts [--minutes 60] [--rate 200] [--open-from 30] [--open-for 5]
 *
 * Each variant has a database of its own and all run at once, so that other load affects all alike. A statement moves one
 * customer and his invoice as a batch of one does; customer 1 makes the share of a hot one. Meanwhile a transaction is left
 * open for some minutes, as by a report: nothing that it might still read can be removed. A line of JSON a minute, a table
 * at the end. CPU is that of the one backend, so that other load on the machine hardly counts.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    rate: { type: 'string', default: '200' },
    'open-from': { type: 'string', default: '30' },
    'open-for': { type: 'string', default: '5' },
  },
});
const minutes = Number(values.minutes);
const openFrom = Number(values['open-from']);
const openTo = openFrom + Number(values['open-for']);
const pauseMs = 1000 / Number(values.rate);

const TABLES = ['customers', 'invoices'] as const;
type Table = (typeof TABLES)[number];

interface Variant {
  name: string;
  settings: string;
  /** Customers beside those of the workload. */
  more: number;
}

const VARIANTS: readonly Variant[] = [
  { name: 'fillfactor 100', settings: 'fillfactor = 100', more: 0 },
  { name: 'fillfactor 70, as shipped', settings: 'fillfactor = 70', more: 0 },
  { name: 'fillfactor 50', settings: 'fillfactor = 50', more: 0 },
  {
    name: 'fillfactor 70, vacuum after 20,000 updates',
    settings: 'fillfactor = 70, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_scale_factor = 0',
    more: 0,
  },
  { name: 'fillfactor 70, 100,000 customers', settings: 'fillfactor = 70', more: 100_000 - CUSTOMERS },
];

const MOVE = `
  with customer_sum as materialized (
    select id, currency, 0.123456::numeric as charged, 1::bigint as calls from customers where id = $1),
  ${moveCustomers},
  invoice_sum as materialized (
    select id, customer, currency, 0.123456::numeric as cost, 0.01::numeric as tax, 1::bigint as calls
    from invoices where customer = $1 and status = any($2::text[])),
  ${moveInvoices('$2')}
  select ${areCustomersMoved} as customers, ${areInvoicesMoved} as invoices`;

interface Counted {
  updates: number;
  hot: number;
  dead: number;
  vacuums: number;
  tableKib: number;
  indexKib: number;
}

/** A minute of a variant. */
interface Minute {
  statements: number;
  /** CPU of a statement, microseconds. */
  hotCustomer: number;
  otherCustomers: number;
  tables: Record<Table, Counted>;
}

async function counted(client: Client, table: Table): Promise<Counted> {
  const { rows } = await client.query<Counted>(
    `select n_tup_upd::int as updates, n_tup_hot_upd::int as hot, n_dead_tup::int as dead,
      autovacuum_count::int as vacuums, (pg_relation_size(relid) / 1024)::int as "tableKib",
      (pg_indexes_size(relid) / 1024)::int as "indexKib"
    from pg_stat_user_tables where relname = $1`,
    [table],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`expected statistics of ${table}`);
  return row;
}

async function fill(client: Client, { settings, more }: Variant): Promise<void> {
  for (const table of TABLES) await client.query(`alter table ${table} set (${settings})`);
  for (const text of referenceStatements()) await client.query(text);
  await client.query(
    `insert into customers (id, name, currency) select id, 'customer ' || id, 'USD' from generate_series($1::int, $2::int) as id`,
    [CUSTOMERS + 1, CUSTOMERS + more],
  );
  await client.query(
    `insert into invoices (id, customer, currency, period_start, period_end)
    select 1000000 + id, id, 'USD', now(), now() + interval '1 month' from generate_series($1::int, $2::int) as id`,
    [CUSTOMERS + 1, CUSTOMERS + more],
  );
  await client.query('vacuum analyze');
}

async function open(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return client;
}

async function run(variant: Variant, number: number, serverUrl: string): Promise<Minute[]> {
  const admin = await open(serverUrl);
  await admin.query(`create database hot_rows_${number}`);
  await admin.end();
  const url = serverUrl.replace(/\/postgres$/, `/hot_rows_${number}`);
  await migrate(url);
  const [client, other] = await Promise.all([open(url), open(url)]);
  await fill(client, variant);
  const cpu = await backendCpu(client);
  const found: Minute[] = [];
  const began = performance.now();
  for (let minute = 1; minute <= minutes; minute += 1) {
    if (minute - 1 === openFrom) {
      await other.query('begin isolation level repeatable read');
      await other.query('select count(*) from customers');
    }
    if (minute - 1 === openTo) await other.query('commit');
    const costs = { hot: [] as number[], others: [] as number[] };
    const end = began + minute * 60_000;
    for (let due = performance.now(); performance.now() < end; due += pauseMs) {
      const isHot = Math.random() < HOT_SHARE;
      const customer = isHot ? 1 : 2 + Math.floor(Math.random() * (CUSTOMERS + variant.more - 1));
      const before = cpu();
      await client.query({ name: 'move', text: MOVE, values: [customer, ['open']] });
      costs[isHot ? 'hot' : 'others'].push(cpu() - before);
      const left = due + pauseMs - performance.now();
      if (left > 0) await sleep(left);
    }
    const [customers, invoices] = [await counted(client, 'customers'), await counted(client, 'invoices')];
    const now = {
      statements: costs.hot.length + costs.others.length,
      hotCustomer: median(costs.hot),
      otherCustomers: median(costs.others),
      tables: { customers, invoices },
    };
    found.push(now);
    process.stdout.write(`${JSON.stringify({ minute, variant: variant.name, ...now })}\n`);
  }
  await Promise.all([client.end(), other.end()]);
  return found;
}

const sizeOf = ({ tableKib, indexKib }: Counted) => `${tableKib} + ${indexKib}`;

/** Share of the updates from one minute to another that wrote no index. */
function hotShare(from: Minute | undefined, to: Minute | undefined, table: Table): string {
  const [before, after] = [from?.tables[table], to?.tables[table]];
  if (before === undefined || after === undefined) return '';
  return `${(((after.hot - before.hot) / (after.updates - before.updates)) * 100).toFixed(1)} %`;
}

function row(name: string, found: readonly Minute[]): string {
  const within = (from: number, to: number) => found.slice(from, to);
  const cost = (part: readonly Minute[]) =>
    [
      median(part.map(({ hotCustomer }) => hotCustomer)),
      median(part.map(({ otherCustomers }) => otherCustomers)),
    ]
      .map((each) => each.toFixed(0))
      .join(' / ');
  const [first, last] = [found[1], found.at(-1)];
  if (first === undefined || last === undefined) return '';
  return [
    '',
    name,
    cost(within(1, 6)),
    cost(within(openTo - 1, openTo)),
    cost(within(minutes - 5, minutes)),
    ...TABLES.flatMap((table) => [
      hotShare(first, found[openFrom - 1], table),
      hotShare(found[openFrom - 1], found[openTo - 1], table),
      hotShare(found[openTo], last, table),
      sizeOf(first.tables[table]),
      sizeOf(last.tables[table]),
      String(last.tables[table].vacuums),
    ]),
    '',
  ].join(' | ');
}

const server = await startPostgres({ settings: { max_wal_size: '2GB' } });
try {
  const all = await Promise.all(VARIANTS.map((variant, number) => run(variant, number, server.url)));
  process.stdout.write(
    `variant | CPU µs, hot customer / others: first 5 minutes | last minute of the open transaction | last 5 minutes | ${TABLES.map(
      (table) =>
        `${table}: HOT before | during | after | KiB table + indexes at first | at last | autovacuum runs`,
    ).join(' | ')}\n`,
  );
  for (const [number, { name }] of VARIANTS.entries())
    process.stdout.write(`${row(name, all[number] ?? [])}\n`);
} finally {
  await server.remove();
}
