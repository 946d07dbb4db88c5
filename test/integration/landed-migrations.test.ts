import { readdirSync, readFileSync } from 'node:fs';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { schemaDrift } from '../../dev/schema-engine.ts';
import { migrate } from '../../src/store/migrate.ts';
import { isStepOfItsOwn } from '../../src/store/migration/scripts.ts';
import { ask, MigrationFolders } from '../support/migrating.ts';
import { type Migration, migrations } from '../support/migrations.ts';
import { testServices } from '../support/stack.ts';

/** The scripts that have been changed since they landed, as databases have applied them. */
const FIRST_FORMS = new URL('../fixtures/first-forms/', import.meta.url);
const firstForms = new Map(
  readdirSync(FIRST_FORMS).map((file) => [
    file.replace(/\.sql$/, ''),
    readFileSync(new URL(file, FIRST_FORMS), 'utf8'),
  ]),
);
/** What was split off from them. */
const SPLIT = /^20261128000(20[1-4]|301)_/;
/** Those of the version that landed first. */
const FIRST = 2;
/** The tables that grow. */
const LARGE = ['cdrs', 'dead_letters', 'customers', 'invoices'];

let services: Awaited<ReturnType<typeof testServices>>;
let url: string;
const folders = new MigrationFolders();

beforeEach(async () => {
  services = await testServices('landed');
  url = services.databaseUrl;
});

afterEach(async () => {
  folders.remove();
  await services?.drop();
});

/** Rows in every table that grows, of a version that has the first migrations only. */
const FILL = `
  insert into customers (id, currency) select n, 'USD' from generate_series(1, 500) n;
  insert into invoices (id, customer, currency, period_start, period_end) select n, n, 'USD', now(), now() from generate_series(1, 500) n;
  insert into dead_letters (reason, status, submitted_by, responses, body, digest)
    select case n % 3 when 0 then 'conflict' when 1 then 'rejected' else 'failed' end,
      case n % 4 when 0 then 'resolved' when 1 then 'discarded' else 'dead' end, 'switch', '[{"code":"400","key":"cost"}]',
      case n % 5 when 0 then 'cost=1' else '{"cost":"1.5","currency":"USD"}' end, int4send(n) from generate_series(1, 2500) n;
  insert into cdrs (uniqueid, machine, start, "end", scustomer, stype, snumber, spresent, sname, ctype, cnumber, dcustomer, dtype,
    dnumber, callid, channel, cost, currency, ingroup_time, invoice_named, media, messages, note, outgroup_time, recording, status,
    talktime, taxes, time, totaltime, update_balance, update_invoices, tax, charged, invoice_cost, invoice_tax, system_rate,
    currency_rate, customer_currency, customer_rate, fingerprint, submitted_by)
  select n::text, 'm', now(), now(), 1, '', '', 0, '', '', '', 0, '', '', '', '', 1, 'USD', 0, false, '', 0, '', 0, '', '', 0, '', 0, 0,
    1, 0, 0, 1, 0, 0, 1, 1, 'USD', 1, '', 'switch' from generate_series(1, 500) n`;

/** Everything in the catalog that Prisma does not compare either. */
const SCHEMA = `
  select 'column ' || attrelid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull || attgenerated::text
    || coalesce(' ' || pg_get_expr(adbin, adrelid), '') as part
  from pg_attribute join pg_class c on c.oid = attrelid left join pg_attrdef on adrelid = attrelid and adnum = attnum
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v') and attnum > 0 and not attisdropped
  union all select 'index ' || indexdef from pg_indexes where schemaname = 'public'
  union all select 'check ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace
  union all select 'trigger ' || pg_get_triggerdef(oid) || tgenabled::text from pg_trigger where not tgisinternal
  union all select 'function ' || pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
  union all select 'options ' || relname || coalesce(reloptions::text, '') from pg_class where relnamespace = 'public'::regnamespace
  order by 1`;

const DEAD_LETTERS = `select reason, status, body, cost::text, currency, (closed_at is not null) as closed, is_open, verified, altered,
  answer_key from dead_letters order by digest`;

/** The tables of which a script reads or writes rows in its transaction, while it holds its locks. */
async function touchedBy(sql: string): Promise<Record<string, unknown>[]> {
  // A session of its own, whose counters begin at 0.
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`begin; ${sql}`);
    const { rows } =
      await client.query(`select relname, seq_tup_read::int as read, (n_tup_ins + n_tup_upd + n_tup_del)::int as written
      from pg_stat_xact_user_tables where relname = any('{${LARGE}}') and (seq_tup_read > 0 or n_tup_ins + n_tup_upd + n_tup_del > 0)`);
    await client.query('commit');
    return rows;
  } finally {
    await client.end();
  }
}

async function apply(some: readonly Migration[]): Promise<void> {
  await migrate(url, { folder: folders.of(some) });
}

/** The database as one that was upgraded from the first version, by way of a version whose scripts are given. */
async function upgraded(way: readonly Migration[]): Promise<Record<string, unknown[]>> {
  await ask(url, 'drop schema public cascade; create schema public');
  await apply(way.slice(0, FIRST));
  await ask(url, FILL);
  await apply(way);
  await migrate(url);
  expect(await schemaDrift(url)).toBe('');
  return { schema: await ask(url, SCHEMA), rows: await ask(url, DEAD_LETTERS) };
}

describe('a database that has applied migrations in the form in which they landed', () => {
  const landed = migrations
    .filter(({ name }) => !SPLIT.test(name))
    .map(({ name, sql }) => ({ name, sql: firstForms.get(name) ?? sql }));

  it('gets the same schema and the same rows as one that is upgraded now, wherever it was', async () => {
    const now = await upgraded(migrations);
    const after = (name: string) => landed.findIndex((one) => one.name.endsWith(name)) + 1;
    for (const applied of ['_operators_desk', '_verified_letters', '_calls_by_day'].map(after)) {
      const before = await upgraded(landed.slice(0, applied));
      expect([applied, before]).toEqual([applied, now]);
    }
  });
});

describe('an upgrade from the first version', () => {
  it('writes no table that grows anew, and reads none while others are kept out of it', async () => {
    await apply(migrations.slice(0, FIRST));
    await ask(url, FILL);
    const files = `select relname, relfilenode from pg_class where relname = any('{${LARGE}}') order by 1`;
    const before = await ask(url, files);
    const touched: unknown[] = [];
    for (const { name, sql } of migrations.slice(FIRST)) {
      if (isStepOfItsOwn(sql)) await ask(url, sql);
      else touched.push(...(await touchedBy(sql)).map((row) => ({ name, ...row })));
    }
    expect(touched).toEqual([]);
    expect(await ask(url, files)).toEqual(before);
  });
});
