import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { startPostgres } from '../dev/stack.ts';
import { migrate } from '../src/store/migrate.ts';
import { persist } from '../src/store/persist/persist.ts';
import { reconcile } from '../src/store/reconcile.ts';
import { BILLING } from '../test/support/billing.ts';
import { admitted } from './admitted.ts';
import { backendCpu } from './backend-cpu.ts';
import { openBenchDatabase } from './bed.ts';
import { measureSearches } from './find-searches.ts';
import { callColumns, callsSql, makeManyCalls } from './many-calls.ts';
import { sample } from './meter.ts';
import { spread } from './numbers.ts';
import { referenceStatements, workload } from './workload.ts';

/**
 * What each index for finding stored calls costs an insert, and what it is worth to a search:
 *
 *   npx tsx bench/find-indexes.ts [--calls 1000000] [--rounds 3] [--only REGEXP] [--persisted 0] [--reconcile]
 *
 * The cost is CPU of the one backend, so that other load on the machine hardly counts. The indexes take turns, in batches as
 * the worker writes them. `--persisted` is rounds of whole batches through the worker's own statements; `--reconcile` proves
 * the calls, one in 100 of them corrected, before anything else.
 */
const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    persisted: { type: 'string', default: '0' },
    reconcile: { type: 'boolean', default: false },
  },
});
const [rounds, persistRounds] = [values.rounds, values.persisted].map(Number) as [number, number];
const isMeasured = (name: string) => name === 'none' || name.match(values.only) !== null;
const CALLS = Number(values.calls);
const BATCH = 400;
const BATCHES = 50;

/** The day of a call's start: rows of one day lie together in an index, so that inserts touch few of its pages. */
const DAY = "((start at time zone interval '0')::date)";
const HOUR = "date_trunc('hour', start at time zone interval '0')";
const bloom = (column: string, distinct: number) =>
  `${column} text_bloom_ops(n_distinct_per_range=${distinct}, false_positive_rate=0.01)`;
/** A page holds up to 20 calls, and a filter has to hold the values of its whole range. */
const blooms = (columns: readonly string[], pages: number) =>
  `using brin (${columns.map((column) => bloom(column, pages * 20)).join(', ')}) with (pages_per_range=${pages})`;
const hashOf = (column: string) => `hashtext(ltrim(${column}, '+0'))`;
const NUMBERS = ['snumber', 'cnumber', 'dnumber'];

/** The index of the migrations is one of the variants. */
const WITHOUT_INDEX = 'drop index cdrs_found_idx';

/** Definitions of indexes on cdrs; each variant is measured with all of its own and nothing else. */
const VARIANTS: Record<string, readonly string[]> = {
  none: [],
  'customer, start': ['(scustomer, start)'],
  'day, customer': [`(${DAY}, scustomer)`],
  'day, customer, hash of callid': [`(${DAY}, scustomer, hashtext(callid))`],
  'hour, customer, hashes of callid and numbers': [
    `(${HOUR}, scustomer, hashtext(callid), ${NUMBERS.map(hashOf).join(', ')})`,
  ],
  start: ['(start)'],
  'BRIN start': ['using brin (start)'],
  'callid unlike uniqueid (30 %)': ['(callid) where callid <> uniqueid'],
  callid: ['(callid)'],
  'hash callid': ['using hash (callid)'],
  'day, callid': [`(${DAY}, callid)`],
  'BRIN bloom of callid and numbers': [blooms(['callid', 'snumber', 'dnumber'], 16)],
  'BRIN bloom of numbers, 64 pages': [blooms(NUMBERS, 64)],
  'BRIN bloom of numbers, 32 pages': [blooms(NUMBERS, 32)],
  'day, customer, hash of callid; BRIN bloom of numbers': [
    `(${DAY}, scustomer, hashtext(callid))`,
    blooms(NUMBERS, 64),
  ],
  number: ['(dnumber)'],
};

/** Measured with all that persisting a batch takes. */
const PERSISTED: Record<string, readonly string[]> = {
  none: [],
  'day, customer': [`(${DAY}, scustomer)`],
  'day, customer, hash of callid': [`(${DAY}, scustomer, hashtext(callid))`],
  'hour, customer, hashes of callid and numbers': [
    `(${HOUR}, scustomer, hashtext(callid), ${NUMBERS.map(hashOf).join(', ')})`,
  ],
  'day, customer; day, callid (100 %)': [`(${DAY}, scustomer)`, `(${DAY}, callid) where callid <> uniqueid`],
  'day, customer, hash of callid; BRIN bloom of numbers': [
    `(${DAY}, scustomer, hashtext(callid))`,
    blooms(NUMBERS, 64),
  ],
  'customer, start; callid (100 %)': ['(scustomer, start)', '(callid) where callid <> uniqueid'],
};

const began = performance.now();
const progress = (line: string) => {
  process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);
};
const print = (line: string) => process.stdout.write(`${line}\n`);

const server = await startPostgres({
  settings: { shared_buffers: '1GB', max_wal_size: '4GB', max_parallel_workers_per_gather: '0' },
});
try {
  await migrate(server.url);
  const client = new Client({ connectionString: server.url });
  await client.connect();
  await client.query(WITHOUT_INDEX);
  const cpu = await backendCpu(client);
  await makeManyCalls(client, { calls: CALLS, ...(values.reconcile && { updates: CALLS / 100 }), progress });
  const { rows } = await client.query(
    `select pg_table_size('cdrs') / 1e6 as mb, pg_relation_size('cdrs_pkey') / 1e6 as pkey`,
  );
  print(`${CALLS} calls: ${JSON.stringify(rows[0])}`);
  if (values.reconcile) await measureReconcile(client);
  if (rounds > 0) await measureInserts(client, cpu);
  for (const name of Object.keys(VARIANTS).filter(isMeasured)) {
    if (name === 'none') continue;
    const definitions = VARIANTS[name] ?? [];
    progress(`searches: ${name}`);
    await createIndexes(client, definitions);
    await measureSearches(client, CALLS, name, print);
    await dropIndexes(client, definitions);
  }
  await client.end();
  await measurePersisting(persistRounds);
} finally {
  await server.remove();
}

async function measured(
  client: Client,
  cpu: () => number,
  text: string,
): Promise<{ cpu: number; wal: number }> {
  const wal = async () => {
    const { rows } = await client.query<{ at: string }>(`select pg_current_wal_insert_lsn() - '0/0' as at`);
    return Number(rows[0]?.at);
  };
  const before = { wal: await wal(), cpu: cpu() };
  await client.query(text);
  return { cpu: cpu() - before.cpu, wal: (await wal()) - before.wal };
}

/** How long the proof takes, with corrections among the calls. */
async function measureReconcile(client: Client): Promise<void> {
  const { rows } = await client.query<{ corrections: number }>(
    'select count(*)::int as corrections from corrections',
  );
  const database = openBenchDatabase(server.url);
  const before = { at: performance.now(), cpu: databaseCpu() };
  const { proofs } = await reconcile(database);
  const [seconds, cpu] = [(performance.now() - before.at) / 1000, databaseCpu() - before.cpu];
  const drift = proofs.map(({ drift }) => drift).join(', ');
  print(
    `reconcile, ${rows[0]?.corrections} entries: ${seconds.toFixed(1)} s, ${cpu.toFixed(1)} s of CPU; drift ${drift}`,
  );
  await database.close(10_000);
}

function databaseCpu(): number {
  return sample({ worker: undefined, broker: undefined, database: server.pid }, 0).cpu.database;
}

/** The share of all CPU of the database that a call takes. */
async function measurePersisting(rounds: number): Promise<void> {
  if (rounds === 0) return;
  const admin = new Client({ connectionString: server.url });
  await admin.connect();
  await admin.query('create database persisting');
  await admin.end();
  const url = server.url.replace(/\/postgres$/, '/persisting');
  await migrate(url);
  const database = openBenchDatabase(url);
  for (const text of referenceStatements()) await database.prisma.$executeRawUnsafe(text);
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(WITHOUT_INDEX);
  const names = Object.keys(PERSISTED).filter(isMeasured);
  const costs = new Map(names.map((name) => [name, [] as number[]]));
  for (let round = 0; round <= rounds; round += 1)
    for (const [index, name] of names.entries()) {
      progress(`persisting, round ${round} of ${rounds}: ${name}`);
      await createIndexes(client, PERSISTED[name] ?? []);
      const { messages } = workload(20 * BATCH, 1000 + round * names.length + index);
      const calls = messages.map(({ body }) => admitted(body));
      const before = databaseCpu();
      for (let from = 0; from < calls.length; from += BATCH)
        await persist(database.sql, calls.slice(from, from + BATCH), BILLING);
      // The first round plans the statements and fills the table.
      if (round > 0) costs.get(name)?.push(((databaseCpu() - before) / calls.length) * 1e6);
      await dropIndexes(client, PERSISTED[name] ?? []);
    }
  for (const [name, values] of costs)
    print(`persisting, ${name}: ${spread(values, 1)} us of the database's CPU a message`);
  await client.end();
  await database.close(10_000);
}

async function createIndexes(client: Client, definitions: readonly string[]): Promise<void> {
  for (const [index, definition] of definitions.entries())
    await client.query(`create index found_${index} on cdrs ${definition}`);
}

async function dropIndexes(client: Client, definitions: readonly string[]): Promise<void> {
  for (const index of definitions.keys()) await client.query(`drop index found_${index}`);
}

async function measureInserts(client: Client, cpuOf: () => number): Promise<void> {
  const names = Object.keys(VARIANTS).filter(isMeasured);
  const total = names.length * rounds * BATCHES * BATCH;
  progress('staging calls');
  await client.query('create unlogged table staged (like cdrs including defaults)');
  await client.query('alter table staged add batch int');
  await client.query(`insert into staged (${callColumns}, batch)
    select *, (row_number() over () - 1) / ${BATCH} from (${callsSql(CALLS, `generate_series(${CALLS}::bigint, ${CALLS + total - 1}) as i`)}) as made`);
  await client.query('create index on staged (batch)');
  await client.query('vacuum analyze staged');
  const costs = new Map(
    names.map((name) => [name, { cpu: [] as number[], wal: [] as number[], summary: 0 }]),
  );
  let batch = 0;
  for (let round = 0; round < rounds; round += 1)
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const definitions = VARIANTS[name] ?? [];
      progress(`inserts, round ${round + 1} of ${rounds}: ${name}`);
      await createIndexes(client, definitions);
      await client.query('checkpoint');
      const cost = costs.get(name);
      for (let each = 0; each < BATCHES; each += 1) {
        const { cpu, wal } = await measured(
          client,
          cpuOf,
          `insert into cdrs (${callColumns}) select ${callColumns} from staged where batch = ${batch}`,
        );
        batch += 1;
        cost?.cpu.push(cpu / BATCH);
        cost?.wal.push(wal / BATCH);
      }
      const brin = definitions.findIndex((text) => text.includes('brin'));
      if (brin >= 0) {
        const { cpu } = await measured(client, cpuOf, `select brin_summarize_new_values('found_${brin}')`);
        if (cost !== undefined) cost.summary += cpu / (BATCHES * BATCH) / rounds;
      }
      await dropIndexes(client, definitions);
    }
  const middle = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  const base = costs.get('none');
  for (const [name, { cpu, wal, summary }] of costs)
    print(
      `${name}: ${middle(cpu).toFixed(2)} us a row (+${(middle(cpu) - middle(base?.cpu ?? [])).toFixed(2)}), WAL ${middle(wal).toFixed(0)} bytes, summarizing ${summary.toFixed(2)} us`,
    );
  await client.query('drop table staged');
  await client.query('vacuum analyze cdrs');
}
