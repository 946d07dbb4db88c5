import { Client } from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WORKER_NAME } from '../../src/store/database.ts';
import { HeldRows } from '../../src/store/persist/held-rows.ts';
import type { Sql } from '../../src/store/sql.ts';
import { until } from '../support/broker.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

const CHANGE = 'update customers set calls = calls where id = 1';
const HOLD_ON = 'select pg_sleep(60)';
const ROWS = { customers: [1], invoiced: [], openStatuses: [], invoices: [], deadLetters: [] };

let db: BillingDatabase;
let now: number;
let rows: HeldRows;
const clients: Client[] = [];

beforeEach(async () => {
  db = await billingDatabase('held-rows');
  now = 0;
  rows = new HeldRows(() => now);
});
afterEach(async () => {
  await endWorkers();
  for (const client of clients.splice(0)) await client.end();
  await db.drop();
});

/** Ends the sessions, whatever they are doing. */
const endWorkers = () =>
  db.rows(`select pg_terminate_backend(pid)::text from pg_stat_activity
    where datname = current_database() and application_name = '${WORKER_NAME}'`);

/** With a transaction open. */
async function session(applicationName: string, ...statements: string[]): Promise<Client> {
  const client = new Client({ connectionString: db.databaseUrl, application_name: applicationName });
  client.on('error', () => undefined);
  clients.push(client);
  await client.connect();
  for (const statement of ['begin', ...statements]) await client.query(statement);
  return client;
}

const worker = (...statements: string[]) => session(WORKER_NAME, ...statements);

/** Has a session begin a statement that ends when the session does. */
function begin(client: Client, text: string): void {
  client.query(text).catch(() => undefined);
}

/** Waits until a session of a worker is in this state. */
const workerIs = (state: string) =>
  until(async () => {
    const found = await db.rows(`select pid::text from pg_stat_activity where datname = current_database()
      and application_name = '${WORKER_NAME}' and ${state}`);
    return found.length === 1;
  });

/** What is found out after so many milliseconds. */
async function lookAt(milliseconds: number): Promise<'held' | 'passing'> {
  now = milliseconds;
  const { held, passing } = await rows.look(db.sql, ROWS);
  expect(passing).toBe(held === 0);
  return held === 1 ? 'held' : 'passing';
}

it('a session that calls itself a worker is believed for 2 s after it was seen with a row, and the row is held until it is free', async () => {
  const client = await worker(CHANGE);
  begin(client, HOLD_ON);
  await workerIs(`wait_event = 'PgSleep'`);
  expect(await lookAt(0)).toBe('passing');
  expect(await lookAt(1999)).toBe('passing');
  expect(await lookAt(2000)).toBe('held');
  now = 2500;
  await rows.probe(db.sql);
  expect(rows.isHeld('customer 1')).toMatchObject({ row: 'customer 1' });
  await endWorkers();
  await until(async () => {
    now += 200;
    await rows.probe(db.sql);
    return rows.isHeld('customer 1') === undefined;
  });
});

it('workers that have a row in turn are all believed', async () => {
  for (const moment of [0, 1500, 3000]) {
    const client = await worker(CHANGE);
    expect(await lookAt(moment)).toBe('passing');
    await client.query('commit');
  }
});

it('a worker that waits for another row is believed, and then for 2 s', async () => {
  const other = await worker('select from customers where id = 2 for update');
  const client = await worker(CHANGE);
  begin(client, `update customers set calls = calls where id = 2; ${HOLD_ON}`);
  await workerIs(`wait_event_type = 'Lock'`);
  expect(await lookAt(0)).toBe('passing');
  expect(await lookAt(10_000)).toBe('passing');
  await other.query('rollback');
  await workerIs(`wait_event = 'PgSleep'`);
  expect(await lookAt(11_999)).toBe('passing');
  expect(await lookAt(12_000)).toBe('held');
});

it('a session that calls itself a worker and does nothing for 2 s is not believed at all', async () => {
  await worker(CHANGE);
  await workerIs(`state = 'idle in transaction' and state_change < clock_timestamp() - interval '2 seconds'`);
  expect(await lookAt(0)).toBe('held');
});

it('nobody else is blamed for a row that a worker gives back while its owner is not to be found', async () => {
  const billing = await session('billing', 'update customers set name = name where id = 2');
  const client = await worker('savepoint one', CHANGE, 'release one');
  let looks = 0;
  const sql: Sql = async (statement, values) => {
    looks += 1;
    if (looks === 2) await client.query('commit');
    return await db.sql(statement, values);
  };
  expect(await rows.look(sql, ROWS)).toEqual({ held: 0, passing: false });
  await billing.query('rollback');
});

it('a session that calls itself a worker does not hide behind a savepoint for longer', async () => {
  const client = await worker('savepoint one', CHANGE, 'release one');
  begin(client, HOLD_ON);
  await workerIs(`wait_event = 'PgSleep'`);
  expect(await lookAt(0)).toBe('passing');
  expect(await lookAt(2000)).toBe('held');
});
