import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { startPostgres } from '../dev/stack.ts';
import { migrate } from '../src/store/migrate.ts';
import { persist } from '../src/store/persist/persist.ts';
import { monthsAgo, pagesOfCalls, prunePages } from '../src/store/prune.ts';
import { type Sql, unprepared } from '../src/store/sql.ts';
import type { Admitted } from '../src/worker/admission.ts';
import { BILLING } from '../test/support/billing.ts';
import { admitted } from './admitted.ts';
import { openBenchDatabase } from './bed.ts';
import { sample } from './meter.ts';
import { median, spread } from './numbers.ts';
import { referenceStatements, workload } from './workload.ts';

/**
 * Measures what it costs to remember the uniqueids of pruned calls, and how much `prune` slows ingestion down:
 *
 *   npx tsx bench/retention.ts [millions of past calls] [rounds]
 *
 * Batches of the same kind go to databases with and without past calls in turn, so that other load affects all alike.
 */
const BATCH = 500;
const [millions = 5, rounds = 40] = process.argv.slice(2).map(Number);
const server = await startPostgres({ settings: { shared_buffers: '512MB', max_wal_size: '4GB' } });
try {
  const none = await databaseWith(0, 'sequence');
  const many = await databaseWith(millions * 1e6, 'sequence');
  const random = await databaseWith(millions * 1e6, 'uuid');
  const databases = {
    'no past calls': none,
    [`${millions} million, numbers`]: many,
    [`${millions} million, UUIDs`]: random,
  };
  const times = Object.fromEntries(Object.keys(databases).map((name) => [name, [] as number[]]));
  const cpu = Object.fromEntries(Object.keys(databases).map((name) => [name, 0]));
  const used = () => sample({ worker: undefined, broker: undefined, database: server.pid }, 0).cpu.database;
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, database] of Object.entries(databases)) {
      const before = used();
      const spent = await persisting(database.sql, batchOf(round, name.includes('UUID')));
      // The first rounds plan the statements and compile their code.
      if (round < rounds / 4) continue;
      times[name]?.push(spent);
      cpu[name] = (cpu[name] ?? 0) + used() - before;
    }
  }
  for (const [name, spent] of Object.entries(times))
    print(
      `persisting ${BATCH} new calls, ${name}: ${spread(spent, 1)} ms, CPU of PostgreSQL ${(((cpu[name] ?? 0) / spent.length) * 1000).toFixed(1)} ms`,
    );

  print(
    `a past call takes ${await bytesPerRow(many.sql, 'past_calls', millions * 1e6)} bytes with its index`,
  );
  await pruning(none.sql);
  for (const { close } of Object.values(databases)) await close();
} finally {
  await server.remove();
}

/** How fast old calls are pruned, and how long a batch takes meanwhile. */
async function pruning(sql: Sql): Promise<void> {
  const fill = 100;
  for (let round = 0; round < fill; round += 1) await persist(sql, batchOf(1000 + round, false), BILLING);
  const [stored] = await sql<{ count: number }>(
    unprepared('bench.retention', 'select count(*)::int as count from cdrs'),
    [],
  );
  print(`a call takes ${await bytesPerRow(sql, 'cdrs', stored?.count ?? 1)} bytes with its indexes`);
  const alone: number[] = [];
  for (let round = 0; round < rounds / 2; round += 1)
    alone.push(await persisting(sql, batchOf(2000 + round, false)));
  await sql(
    unprepared(
      'bench.retention',
      `update cdrs set received_at = now() - interval '14 months' where uniqueid like '1___.%'`,
    ),
    [],
  );
  await sql(unprepared('bench.retention', `update invoices set status = 'closed' where id % 2 = 0`), []);
  const cutoff = await monthsAgo(sql, 13);
  const pages = await pagesOfCalls(sql);
  let gone = 0;
  let prunedMs = 0;
  const slices: number[] = [];
  const beside: number[] = [];
  let isPruning = true;
  const ingesting = (async () => {
    for (let round = 0; isPruning; round += 1)
      beside.push(await persisting(sql, batchOf(3000 + round, false)));
  })();
  for (let from = 0; from < pages; from += 128) {
    const begun = performance.now();
    const { calls } = await prunePages(sql, cutoff, { from, to: from + 128 }, false, {
      openStatuses: BILLING.openStatuses,
      withUninvoiced: true,
    });
    const spent = performance.now() - begun;
    if (calls > 0) slices.push(spent);
    gone += calls;
    prunedMs += spent;
    // As the command does.
    await new Promise((resolve) => setTimeout(resolve, spent));
  }
  isPruning = false;
  await ingesting;
  print(
    `prune: ${gone} calls in ${(prunedMs / 1000).toFixed(1)} s of work, ${Math.round(gone / (prunedMs / 1000))}/s; a transaction: ${spread(slices, 0)} ms`,
  );
  print(
    `persisting ${BATCH} calls alone: ${spread(alone, 1)} ms; while prune works: ${spread(beside, 1)} ms`,
  );
  print(`ratio of the medians: ${(median(beside) / median(alone)).toFixed(2)}`);
}

async function persisting(sql: Sql, batch: readonly Admitted[]): Promise<number> {
  const begun = performance.now();
  await persist(sql, batch, BILLING);
  return performance.now() - begun;
}

/** New calls with ascending numbers or random UUIDs as uniqueids. */
function batchOf(seed: number, isRandom: boolean): Admitted[] {
  return workload(BATCH, seed).messages.map(({ body }, index) => {
    const call = JSON.parse(body.toString()) as Record<string, unknown>;
    const uniqueid = isRandom ? randomUUID() : `${1_760_000_000 + seed}.${index}`;
    const bytes = Buffer.from(
      JSON.stringify({ ...call, uniqueid: seed >= 1000 && seed < 2000 ? `${seed}.${index}` : uniqueid }),
    );
    return admitted(bytes);
  });
}

async function databaseWith(pastCalls: number, kind: 'sequence' | 'uuid') {
  const name = `retention_${randomUUID().slice(0, 8)}`;
  const admin = new Client({ connectionString: server.url });
  await admin.connect();
  await admin.query(`create database ${name}`);
  await admin.end();
  const url = server.url.replace('/postgres', `/${name}`);
  await migrate(url);
  const database = openBenchDatabase(url);
  for (const statement of referenceStatements()) await database.prisma.$executeRawUnsafe(statement);
  const client = new Client({ connectionString: url });
  await client.connect();
  const uniqueid = kind === 'uuid' ? 'gen_random_uuid()::text' : `(1700000000 + n / 100)::text || '.' || n`;
  await client.query(
    `insert into past_calls select ${uniqueid}, sha256(n::text::bytea) from generate_series(1, ${pastCalls}) as n`,
  );
  await client.query('vacuum analyze past_calls');
  await client.query('checkpoint');
  await client.end();
  print(`${name}: ${pastCalls} past calls (${kind})`, process.stderr);
  return { sql: database.sql, close: () => database.close(10_000) };
}

async function bytesPerRow(sql: Sql, table: string, rows: number): Promise<number> {
  const [row] = await sql<{ size: number }>(
    unprepared('bench.retention', `select pg_total_relation_size('${table}')::float8 as size`),
    [],
  );
  return Math.round((row?.size ?? 0) / rows);
}

function print(line: string, stream: NodeJS.WritableStream = process.stdout): void {
  stream.write(`${line}\n`);
}
