import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { admittedValues, listChecks } from '../../dev/checks.ts';
import { type Recorded, readRecording, record } from '../../dev/version/record.ts';
import { openDatabase } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { readStoredCalls } from '../../src/store/persist/columns.ts';
import { reconcile } from '../../src/store/reconcile.ts';
import { MigrationFolders } from '../support/migrating.ts';
import { migrations } from '../support/migrations.ts';
import { testServices } from '../support/stack.ts';

const FIXTURE = new URL('../fixtures/version-before.jsonl', import.meta.url);

let services: Awaited<ReturnType<typeof testServices>>;
let client: Client;
const folders = new MigrationFolders();

beforeEach(async () => {
  services = await testServices('version-before');
  client = new Client({ connectionString: services.databaseUrl });
  await client.connect();
});

afterEach(async () => {
  folders.remove();
  await client?.end();
  await services?.drop();
});

async function tables(): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'
     and table_name <> '_prisma_migrations' order by 1`,
  );
  return rows.map(({ name }) => name);
}

async function emptyTables(): Promise<string[]> {
  const empty: string[] = [];
  for (const table of await tables())
    if ((await client.query(`select from "${table}" limit 1`)).rowCount === 0) empty.push(table);
  return empty;
}

/** Says it all again, and tells where the answer has another shape than the version got. */
async function repeat(statements: readonly Recorded[]): Promise<unknown[]> {
  const different: unknown[] = [];
  for (const { text, values, rows, columns } of statements) {
    const result = await client
      .query(text, values)
      .catch((error: unknown) => Promise.reject(new Error(`${error}: ${text}`)));
    const got = { rows: result.rows?.length ?? 0, columns: result.fields?.map(({ name }) => name) ?? [] };
    const isSame = isOfItsTime(values) || got.rows === rows;
    if (!isSame || String(got.columns) !== String(columns))
      different.push({ text, expected: { rows, columns }, got });
  }
  return different;
}

/** Whether a statement asked for the minutes before it was recorded: what is written now is in none of them. */
function isOfItsTime(values: readonly unknown[]): boolean {
  return values.some((value) => typeof value === 'string' && /^\d{4}-\d\d-\d\d \d\d:/.test(value));
}

describe('the version before', () => {
  it('lacks the newest migration (npm run migration -- NAME --by-hand records a version)', () => {
    const recorded = readRecording(readFileSync(FIXTURE, 'utf8')).migrations;
    expect(recorded).not.toContain(migrations.at(-1)?.name);
    const known = migrations.map(({ name }) => name);
    expect(recorded.filter((name) => !known.includes(name))).toEqual([]);
  });

  it('will be recorded with rows in every table (dev/version/session.ts)', async () => {
    const { migrations: applied } = await record(services.databaseUrl);
    expect(applied).toEqual(migrations.map(({ name }) => name));
    expect(await emptyTables()).toEqual([]);
  });

  it('goes on working on tables full of its rows, after the migrations that it lacks', async () => {
    const { migrations: recorded, statements } = readRecording(readFileSync(FIXTURE, 'utf8'));
    const turn = (number: number) => statements.filter((statement) => statement.turn === number);
    const known = folders.of(migrations.filter(({ name }) => recorded.includes(name)));
    await migrate(services.databaseUrl, { folder: known });
    expect(await repeat(turn(1))).toEqual([]);
    expect(await emptyTables()).toEqual([]);
    await migrate(services.databaseUrl);
    expect(await repeat(turn(2))).toEqual([]);

    // What it left behind is right for this version.
    const database = openDatabase({
      url: services.databaseUrl,
      poolSize: 2,
      statementTimeoutMs: 20_000,
      connectTimeoutMs: 10_000,
      applicationName: 'version-before',
    });
    const { proofs } = await reconcile(database);
    expect(proofs.filter(({ drift }) => drift > 0)).toEqual([]);
    const calls = await readStoredCalls(database.sql, ['invoiced-1', 'invoiced-2']);
    await database.close(5000);
    const [one, two] = [calls.get('invoiced-1')?.cdr, calls.get('invoiced-2')?.cdr];
    expect(one).toEqual({ ...two, uniqueid: 'invoiced-1', callid: 'invoiced-1' });
  });
});

/** Values of columns that admit few. */
const ADMITTED: Readonly<Record<string, unknown>> = {
  ...Object.fromEntries(listChecks.map(({ table, column, values }) => [`${table}.${column}`, values[0]])),
  'currencies.rate': 1,
  'invoices.status': 'open',
  'past_sums.of': 'customer',
};

const VALUES: Readonly<Record<string, (row: number) => unknown>> = {
  text: (row) => `text ${row}`,
  character: (row) => `A${String.fromCharCode(65 + row)}`,
  integer: (row) => row,
  smallint: (row) => row,
  bigint: (row) => row,
  numeric: (row) => row,
  boolean: () => true,
  bytea: (row) => Buffer.from([row]),
  json: () => '{}',
  jsonb: () => '{}',
  uuid: () => '00000000-0000-0000-0000-000000000000',
  ARRAY: () => [],
  'timestamp with time zone': () => new Date(0),
};

/** One more row in every table, with a value in every column. */
async function addRows(row: number): Promise<void> {
  const { rows: columns } = await client.query<{ table: string; name: string; type: string }>(
    `select table_name as table, column_name as name, data_type as type from information_schema.columns
     join information_schema.tables using (table_schema, table_name)
     where table_schema = 'public' and table_type = 'BASE TABLE' and is_generated = 'NEVER'`,
  );
  for (const table of await tables()) {
    const own = columns.filter((column) => column.table === table);
    const values = own.map(({ name, type }) => ADMITTED[`${table}.${name}`] ?? VALUES[type]?.(row));
    const names = own.map(({ name }) => `"${name}"`).join(', ');
    const places = own.map((_, index) => `$${index + 1}`).join(', ');
    await client.query(`insert into "${table}" (${names}) values (${places}) on conflict do nothing`, values);
  }
}

describe('every migration', () => {
  it('can be applied to tables that are filled', async () => {
    for (const [index, { name }] of migrations.entries()) {
      await migrate(services.databaseUrl, { folder: folders.of(migrations.slice(0, index + 1)) });
      await addRows(index + 1);
      expect([name, await emptyTables()]).toEqual([name, []]);
    }
  });

  it('together leave CHECKs that admit what the lists of the code hold, and nothing else (npm run migration)', async () => {
    await migrate(services.databaseUrl);
    for (const check of listChecks) {
      const { table, column, values } = check;
      const admitted = await admittedValues(client, check);
      expect([`${table}.${column}`, [...admitted].sort()]).toEqual([
        `${table}.${column}`,
        [...values].sort(),
      ]);
    }
  });
});
