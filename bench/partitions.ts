import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { startPostgres } from '../dev/stack.ts';
import { migrate } from '../src/store/migrate.ts';
import { pagesOfCalls, prunePages } from '../src/store/prune.ts';
import type { Sql } from '../src/store/sql.ts';
import { backendCpu } from './backend-cpu.ts';
import { callColumns, callsSql } from './many-calls.ts';
import { sample } from './meter.ts';

/**
 * `prune` against partitions:
 *
 *   npx tsx bench/partitions.ts [--days 15] [--kept 8] [--per-day 20000]
 *
 * Calls are inserted day by day, and each day the oldest beyond those that are kept goes: once from the table as it is, by
 * `prune`, and once from a table partitioned by day, whose partition is dropped. There a table of its own keeps uniqueids
 * unique, and an index of the partitions finds the call of a uniqueid. Both keep fingerprints and sums of what has gone.
 */
const { values: options } = parseArgs({
  options: {
    days: { type: 'string', default: '15' },
    kept: { type: 'string', default: '8' },
    'per-day': { type: 'string', default: '20000' },
  },
});
const [days, kept, perDay] = [options.days, options.kept, options['per-day']].map(Number) as [
  number,
  number,
  number,
];
const BATCH = 400;
const PAGES = 128;

const dayOf = (day: number) => `timestamptz '2026-01-01' + interval '${day} days'`;

interface Way {
  name: string;
  tables: readonly string[];
  prepare: (client: Client) => Promise<unknown>;
  newDay: (client: Client, day: number) => Promise<unknown>;
  insert: string;
  /** Takes out the calls of one day. */
  prune: (client: Client, day: number) => Promise<unknown>;
}

const sqlOf = (client: Client): Sql => {
  return async <Row>({ name, text }: Parameters<Sql>[0], values: readonly unknown[]) =>
    (await client.query({ name, text, values: [...values] })).rows as Row[];
};

const sumsOf = (partition: string) => `
  insert into past_sums (of, key, calls, charged, cost, tax)
  select 'customer', scustomer::text, count(*), sum(charged), 0, 0 from ${partition} where update_balance = 1 group by scustomer
  union all
  select 'invoice', invoice::text, count(*), 0, sum(invoice_cost), sum(invoice_tax)
  from ${partition} where update_invoices = 1 and invoice is not null group by invoice
  on conflict (of, key) do update set calls = past_sums.calls + excluded.calls, charged = past_sums.charged + excluded.charged,
    cost = past_sums.cost + excluded.cost, tax = past_sums.tax + excluded.tax`;

const WAYS: readonly Way[] = [
  {
    name: 'prune',
    tables: ['cdrs', 'past_calls'],
    prepare: async () => {},
    newDay: async () => {},
    insert: `insert into cdrs (${callColumns}) select ${callColumns} from staged where batch = $1 order by uniqueid
      on conflict (uniqueid) do nothing`,
    prune: async (client, day) => {
      const sql = sqlOf(client);
      const pages = await pagesOfCalls(sql);
      const { rows } = await client.query<{ cutoff: string }>(`select (${dayOf(day + 1)})::text as cutoff`);
      for (let from = 0; from < pages; from += PAGES)
        await prunePages(sql, rows[0]?.cutoff ?? '', { from, to: from + PAGES }, false, {
          openStatuses: ['open'],
          withUninvoiced: true,
        });
    },
  },
  {
    name: 'partitions',
    tables: ['uniqueids'],
    prepare: async (client) => {
      await client.query('create table uniqueids (uniqueid text primary key, fingerprint bytea not null)');
      await client.query(
        'create table parted (like cdrs including defaults) partition by range (received_at)',
      );
      const { rows } = await client.query<{ definition: string }>(
        `select pg_get_indexdef('cdrs_found_idx'::regclass) as definition`,
      );
      const found = rows[0]?.definition.replace('cdrs_found_idx', 'parted_found_idx') ?? '';
      await client.query(found.replace('public.cdrs', 'parted'));
      await client.query('create index on parted (uniqueid)');
    },
    newDay: (client, day) =>
      client.query(
        `create table parted_${day} partition of parted for values from (${dayOf(day)}) to (${dayOf(day + 1)})`,
      ),
    insert: `with taken as (
        insert into uniqueids (uniqueid, fingerprint) select uniqueid, fingerprint from staged where batch = $1 order by uniqueid
        on conflict do nothing returning uniqueid)
      insert into parted (${callColumns}) select ${callColumns} from staged join taken using (uniqueid) where batch = $1`,
    prune: async (client, day) => {
      await client.query(sumsOf(`parted_${day}`));
      await client.query(`drop table parted_${day}`);
    },
  },
];

const server = await startPostgres({
  settings: { shared_buffers: '512MB', max_wal_size: '4GB', autovacuum_naptime: '5s' },
});
try {
  for (const way of WAYS) await measure(way);
} finally {
  await server.remove();
}

async function measure(way: Way): Promise<void> {
  const admin = new Client({ connectionString: server.url });
  await admin.connect();
  await admin.query(`create database ${way.name}`);
  await admin.end();
  const url = server.url.replace(/\/postgres$/, `/${way.name}`);
  await migrate(url);
  const client = new Client({ connectionString: url });
  await client.connect();
  await run(way, client).finally(() => client.end());
}

async function run(way: Way, client: Client): Promise<void> {
  await client.query(`set cdr_ingest.knows_past_calls = 'on'`);
  await way.prepare(client);
  const total = days * perDay;
  await client.query('create unlogged table staged (like cdrs including defaults, batch int)');
  await client.query(`insert into staged (${callColumns}, batch)
    select ${callColumns}, (row_number() over () - 1) / ${BATCH} from (${callsSql(total, `generate_series(0, ${total - 1}) as i`)}) as made`);
  await client.query(
    `update staged set received_at = ${dayOf(0)} + make_interval(days => batch / ${perDay / BATCH}, mins => 1)`,
  );
  await client.query('create index on staged (batch)');
  await client.query('vacuum analyze staged');
  const cpu = await backendCpu(client);
  const wal = async () => {
    const { rows } = await client.query<{ at: string }>(`select pg_current_wal_insert_lsn() - '0/0' as at`);
    return Number(rows[0]?.at);
  };
  const serverCpu = () =>
    sample({ worker: undefined, broker: undefined, database: server.pid }, 0).cpu.database;
  const begun = serverCpu();
  const spent = { early: 0, late: 0, prune: 0, insertWal: 0, pruneWal: 0 };
  for (let day = 0; day < days; day += 1) {
    await way.newDay(client, day);
    let before = { cpu: cpu(), wal: await wal() };
    for (let batch = 0; batch < perDay / BATCH; batch += 1)
      await client.query({
        name: 'insert',
        text: way.insert,
        values: [day * (perDay / BATCH) + batch],
      });
    spent[day < kept ? 'early' : 'late'] += cpu() - before.cpu;
    spent.insertWal += (await wal()) - before.wal;
    if (day < kept) continue;
    before = { cpu: cpu(), wal: await wal() };
    await way.prune(client, day - kept);
    spent.prune += cpu() - before.cpu;
    spent.pruneWal += (await wal()) - before.wal;
  }
  const pruned = (days - kept) * perDay;
  const { rows } = await client.query<{ calls: number; mib: number; remembered: number }>(`
    select (select sum(pg_total_relation_size(oid)) from pg_class where relkind in ('r')
        and (relname = '${way.name === 'prune' ? 'cdrs' : 'none'}' or relname like 'parted%')) / ${kept * perDay}.0 as calls,
      pg_total_relation_size('${way.tables.at(-1)}') / ${way.name === 'prune' ? pruned : total}.0 as remembered`);
  const each = (value: number, calls: number, digits = 1) => (value / calls).toFixed(digits);
  process.stdout.write(
    `${way.name}: insert ${each(spent.early, kept * perDay)} us before anything is pruned, ${each(spent.late, pruned)} after, ${each(spent.insertWal, total, 0)} bytes of WAL; ` +
      `prune ${each(spent.prune, pruned)} us, ${each(spent.pruneWal, pruned, 0)} bytes of WAL; all processes ${each((serverCpu() - begun) * 1e6, total)} us a call; ` +
      `bytes a kept call ${Number(rows[0]?.calls).toFixed(0)}, a remembered uniqueid ${Number(rows[0]?.remembered).toFixed(0)}\n`,
  );
}
