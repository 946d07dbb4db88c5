import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { startPostgres } from '../dev/stack.ts';
import { migrate } from '../src/store/migrate.ts';
import { callsInLines } from '../src/store/persist/columns.ts';
import { persist } from '../src/store/persist/persist.ts';
import { termsHold } from '../src/store/persist/terms.ts';
import { WRITE, WRITE_CALLS } from '../src/store/persist/write.ts';
import type { Sql } from '../src/store/sql.ts';
import { BILLING } from '../test/support/billing.ts';
import { admitted } from './admitted.ts';
import { backendCpu } from './backend-cpu.ts';
import { openBenchDatabase } from './bed.ts';
import { median } from './numbers.ts';
import { referenceStatements, workload } from './workload.ts';

/**
 * What the two statements of a batch cost PostgreSQL, by part:
 *
 *   npx tsx bench/database-parts.ts [--batch 500] [--batches 60] [--only REGEXP] [--plans auto]
 *
 * The statements of real batches are recorded and run again, whole and with one part left out; the difference is what that
 * part costs. Each way to write has a table of its own. They take turns batch by batch, and CPU is that of the one
 * backend, so that other load on the machine hardly counts.
 */
const { values: options } = parseArgs({
  options: {
    batch: { type: 'string', default: '500' },
    batches: { type: 'string', default: '60' },
    only: { type: 'string', default: '' },
    /** `auto` is PostgreSQL's own choice, the other one that of the worker. */
    plans: { type: 'string', default: 'force_generic_plan' },
  },
});
const BATCH = Number(options.batch);
/** These are run and not counted: the statements are planned, and the first pages are made. */
const WARM = 10;
const BATCHES = Number(options.batches) + WARM;

interface Ran {
  text: string;
  values: readonly unknown[];
}

interface Recorded {
  lookUp: Ran;
  write: Ran;
}

/** A way to run a batch. */
interface Way {
  name: string;
  text: (batch: Recorded) => string;
  values?: (batch: Recorded) => readonly unknown[];
}

async function freshDatabase(name: string): Promise<string> {
  const admin = new Client({ connectionString: server.url });
  await admin.connect();
  await admin.query(`create database ${name}`);
  await admin.end();
  const url = server.url.replace(/\/postgres$/, `/${name}`);
  await migrate(url);
  const client = new Client({ connectionString: url });
  await client.connect();
  for (const text of referenceStatements()) await client.query(text);
  await client.query('vacuum analyze');
  await client.end();
  return url;
}

/** The statements by which the worker persists batches of the workload. */
async function recorded(url: string): Promise<Recorded[]> {
  const database = openBenchDatabase(url);
  const { messages } = workload(BATCH * BATCHES, 4711);
  const submissions = messages.map(({ body }) => admitted(body));
  const batches: Recorded[] = [];
  for (let from = 0; from < submissions.length; from += BATCH) {
    const ran = new Map<string, Ran>();
    const recording: Sql = (statement, values) => {
      ran.set(statement.name, { text: statement.text, values: [...values] });
      return database.sql(statement, values);
    };
    await persist(recording, submissions.slice(from, from + BATCH), BILLING);
    const lookUp = ran.get('persist.look-up');
    const write = ran.get(WRITE.name) ?? ran.get(WRITE_CALLS.name);
    // Of one message there may be nothing to look up, and nothing to write.
    if (lookUp !== undefined && write !== undefined) batches.push({ lookUp, write });
  }
  await database.close(10_000);
  return batches;
}

/** `text` with another piece in place of one that must be there once. */
function swapped(text: string, piece: string, other: string): string {
  const [before, after, ...more] = text.split(piece);
  if (after === undefined || more.length > 0) throw new Error(`expected once in the statement: ${piece}`);
  return `${before}${other}${after}`;
}

const INSERT = 'insert into cdrs ';
const CONFLICT = 'on conflict (uniqueid) do nothing';
const LOST = 'array(select uniqueid from call except select uniqueid from inserted)';

/** Into a table of its own, with everything that the statement does but what `without` takes out. */
function writing(table: string, without: (text: string) => string = (text) => text): Way['text'] {
  return ({ write }) => without(swapped(write.text, INSERT, `insert into ${table} `));
}

/** The parameters of a statement, with their types: without them it would not take the values of the whole one. */
const WRITE_PARAMETERS = '$1::text, $2::json, $3::text[]';
const LOOK_UP_PARAMETERS =
  '$1::text[], $2::int[], $3::int[], $4::int[], $5::text[], $6::int[], $7::int[], $8::float8, $9::float8, $10::text[]';
const onlyCalls = ({ write }: Recorded) => write.values.slice(0, 3);

async function waysToWrite(client: Client): Promise<Way[]> {
  const table = async (name: string, without: { index?: RegExp; trigger?: true } = {}) => {
    await client.query(`create table cdrs_${name} (like cdrs including defaults including indexes)`);
    const indexes = await client.query<{ name: string; definition: string; constraint: string | null }>(
      `select c.relname as name, pg_get_indexdef(i.indexrelid) as definition, con.conname as constraint
      from pg_index i join pg_class c on c.oid = i.indexrelid left join pg_constraint con on con.conindid = i.indexrelid
      where i.indrelid = 'cdrs_${name}'::regclass`,
    );
    for (const index of indexes.rows)
      if (without.index?.test(index.definition))
        await client.query(
          index.constraint === null
            ? `drop index ${index.name}`
            : `alter table cdrs_${name} drop constraint ${index.constraint}`,
        );
    const triggers = await client.query<{ definition: string }>(
      `select pg_get_triggerdef(oid) as definition from pg_trigger where tgrelid = 'cdrs'::regclass and not tgisinternal`,
    );
    for (const { definition } of without.trigger ? [] : triggers.rows)
      await client.query(swapped(definition, ' public.cdrs ', ` cdrs_${name} `));
    return `cdrs_${name}`;
  };
  const lines = callsInLines.slice(callsInLines.indexOf('from ('));
  return [
    { name: 'write', text: ({ write }) => write.text },
    { name: 'values received', text: () => `select row(${WRITE_PARAMETERS}) is null`, values: onlyCalls },
    {
      name: 'lines split',
      text: () => `select row(${WRITE_PARAMETERS}) is null, count(*) ${lines}`,
      values: onlyCalls,
    },
    {
      name: 'lines split and read',
      text: () =>
        `with call as materialized (${callsInLines}) select row(${WRITE_PARAMETERS}) is null, count(*) from call`,
      values: onlyCalls,
    },
    {
      name: '- terms',
      text: writing(await table('terms'), (text) =>
        swapped(text, termsHold, `select ($2::json) is not null as hold`),
      ),
    },
    { name: '- trigger of cdrs', text: writing(await table('trigger', { trigger: true })) },
    {
      name: '- primary key',
      text: writing(await table('key', { index: /UNIQUE/ }), (text) =>
        swapped(text, CONFLICT, 'on conflict do nothing'),
      ),
    },
    { name: '- index by hour', text: writing(await table('hour', { index: /date_trunc/ })) },
    { name: '- BRIN', text: writing(await table('brin', { index: /USING brin/ })) },
    { name: '- on conflict', text: writing(await table('conflict'), (text) => swapped(text, CONFLICT, '')) },
    {
      name: '- order',
      text: writing(await table('unordered'), (text) =>
        swapped(text, 'from call order by uniqueid', 'from call'),
      ),
    },
    {
      name: '- customers',
      text: writing(await table('customers'), (text) =>
        swapped(text, 'where update_balance = 1', 'where update_balance = 7'),
      ),
    },
    {
      name: '- invoices',
      text: writing(await table('invoices'), (text) =>
        swapped(text, 'where update_invoices = 1 and', 'where update_invoices = 7 and'),
      ),
    },
    {
      name: '- uniqueids left out',
      text: writing(await table('lost'), (text) => swapped(text, LOST, `array[]::text[]`)),
    },
    {
      name: '- dead letters',
      text: () => swapped(WRITE_CALLS.text, INSERT, 'insert into cdrs_letters '),
      values: onlyCalls,
    },
  ];
}

/** Each entry of what a look-up builds, alone. */
function waysToLookUp({ lookUp }: Recorded): Way[] {
  const entries = lookUp.text
    .slice(
      lookUp.text.indexOf('json_build_object(') + 'json_build_object('.length,
      lookUp.text.lastIndexOf(')::text'),
    )
    .trim()
    .split(/,\n {4}(?=')/);
  const building = (entry: string) =>
    `with unused as (select ${LOOK_UP_PARAMETERS}) select json_build_object(${entry})::text as found`;
  const values = (batch: Recorded) => batch.lookUp.values;
  return [
    { name: 'look-up', text: ({ lookUp }) => lookUp.text, values },
    ...['', ...entries].map((entry) => ({
      name: `look-up of ${/^'(\w+)'/.exec(entry)?.[1] ?? 'nothing'}`,
      text: () => building(entry),
      values,
    })),
  ];
}

async function measure(client: Client, batches: readonly Recorded[]): Promise<void> {
  const cpu = await backendCpu(client);
  const [first] = batches;
  if (first === undefined) throw new Error('expected batches');
  const isWanted = ({ name }: Way) => name.match(options.only) !== null || name === 'write';
  const lookUps = waysToLookUp(first).filter(isWanted);
  const writes = (await waysToWrite(client)).filter(isWanted);
  const ways = [...lookUps, ...writes];
  await client.query('create table cdrs_letters (like cdrs including defaults including indexes)');
  const wal = async () => {
    const { rows } = await client.query<{ at: string }>(`select pg_current_wal_insert_lsn() - '0/0' as at`);
    return Number(rows[0]?.at);
  };
  const costs = new Map(ways.map(({ name }) => [name, { cpu: [] as number[], wal: [] as number[] }]));
  // Looked up before it is written, as by the worker.
  for (const [number, batch] of batches.entries())
    for (const { name, text, values } of [...lookUps, ...(number % 2 === 0 ? writes : writes.toReversed())]) {
      const before = { wal: await wal(), cpu: cpu() };
      // pg takes a name for one text only.
      await client.query({
        name: `${name}${batch.write.text === WRITE.text ? '' : ' without letters'}`,
        text: text(batch),
        values: [...(values?.(batch) ?? batch.write.values)],
      });
      const spent = cpu() - before.cpu;
      const written = (await wal()) - before.wal;
      if (number < WARM) continue;
      costs.get(name)?.cpu.push(spent / BATCH);
      costs.get(name)?.wal.push(written / BATCH);
    }
  const whole = costs.get('write');
  for (const [name, cost] of costs) {
    const [spent, written] = [median(cost.cpu), median(cost.wal)];
    const part = name.startsWith('- ')
      ? ` that is ${(median(whole?.cpu ?? []) - spent).toFixed(2)} us, ${(median(whole?.wal ?? []) - written).toFixed(0)} bytes`
      : '';
    process.stdout.write(
      `${name}: ${spent.toFixed(2)} us, ${written.toFixed(0)} bytes of WAL a message${part}\n`,
    );
  }
  const { rows } = await client.query<{ name: string }>(
    'select name from pg_prepared_statements where generic_plans = 0 order by name',
  );
  if (rows.length > 0)
    process.stdout.write(`planned anew each time: ${rows.map(({ name }) => name).join(', ')}\n`);
}

const server = await startPostgres({ settings: { shared_buffers: '512MB', max_wal_size: '4GB' } });
try {
  const batches = await recorded(await freshDatabase('recording'));
  const client = new Client({ connectionString: await freshDatabase('measuring') });
  await client.connect();
  await client.query(`set cdr_ingest.knows_past_calls = 'on'; set plan_cache_mode = ${options.plans}`);
  await measure(client, batches).finally(() => client.end());
} finally {
  await server.remove();
}
