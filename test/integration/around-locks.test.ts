import { Client } from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Manner } from '../../src/domain/held.ts';
import { type Database, openDatabase, WORKER_NAME } from '../../src/store/database.ts';
import { describeFailure, LockedTable } from '../../src/store/failures.ts';
import { createPersistAroundLocks } from '../../src/store/persist/around-locks.ts';
import { type Attempts, attemptsOn } from '../../src/store/persist/attempts.ts';
import { HeldRows } from '../../src/store/persist/held-rows.ts';
import { BILLING } from '../support/billing.ts';
import { until } from '../support/broker.ts';
import { keysOfFeeds, ofFeed } from '../support/of-feed.ts';
import { admitted, type BillingDatabase, billingDatabase, type Parameters } from '../support/persisting.ts';

/** Longer than a worker's row is waited for, as LOCK_TIMEOUT_MS may be; well below the 2 s for which a worker is believed. */
const LOCK_TIMEOUT_MS = 700;
const PATIENCE_MS = 300;

let db: BillingDatabase;
let database: Database;
const clients: Client[] = [];

beforeEach(async () => {
  db = await billingDatabase('around-locks');
  database = openDatabase({
    url: db.databaseUrl,
    poolSize: 4,
    statementTimeoutMs: 20_000,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
    connectTimeoutMs: 10_000,
    applicationName: 'around-locks',
  });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end();
  await database.close(5000);
  await db.drop();
});

/** Another session with a transaction open. */
async function holding(applicationName: string, text: string): Promise<Client> {
  const client = new Client({ connectionString: db.databaseUrl, application_name: applicationName });
  clients.push(client);
  await client.connect();
  await client.query('begin');
  await client.query(text);
  return client;
}

/** Has inserted a call of this uniqueid and does not commit. */
async function keepKey(uniqueid: string): Promise<void> {
  await db.persist([{ uniqueid: 'original' }]);
  await holding(
    'import',
    `insert into cdrs select (jsonb_populate_record(x, jsonb_build_object('uniqueid', '${uniqueid}'))).* from cdrs x`,
  );
}

/** Around the locks of rows of their own. */
const aroundLocks = (attempts: Attempts) =>
  createPersistAroundLocks(attempts, new HeldRows(), {
    lockTimeoutMs: LOCK_TIMEOUT_MS,
    patienceMs: PATIENCE_MS,
  });

/** @param beforePatience runs before the attempt that waits for the row of a worker */
function persisting(beforePatience: () => Promise<unknown> = async () => undefined) {
  const plain = attemptsOn(database, BILLING, 20_000);
  const attempts: Attempts = {
    ...plain,
    limited: (settings) => {
      const attempt = plain.limited(settings);
      if (settings.lock_timeout !== PATIENCE_MS) return attempt;
      return async (...batch) => {
        await beforePatience();
        return await attempt(...batch);
      };
    },
  };
  const persist = aroundLocks(attempts);
  return async (manner: Manner, ...calls: Parameters[]) =>
    (await persist(calls.map(admitted), undefined, manner)).map(({ kind }) => kind);
}

it('finds the call with a key that is held after the row of a worker was waited for', async () => {
  await keepKey('u-1');
  const worker = await holding(WORKER_NAME, 'update customers set calls = calls where id = 1');
  // By then the row is free, and only the key is left to wait for.
  const persist = persisting(() => worker.query('rollback'));
  expect(
    await persist('ordinary', { uniqueid: 'u-1', scustomer: 2 }, { uniqueid: 'u-2', scustomer: 1 }),
  ).toEqual(['held', 'accepted']);
});

it('blames nobody for the row of a worker that has waited long for it itself', async () => {
  const row = 'update customers set calls = calls where id = 1';
  const first = await holding(WORKER_NAME, row);
  const second = await holding(WORKER_NAME, 'select');
  const waiting = second.query(row);
  const old = `select pid::text from pg_stat_activity where datname = current_database()
    and wait_event_type = 'Lock' and xact_start < clock_timestamp() - interval '2.5 seconds'`;
  await until(async () => (await db.rows(old)).length === 1);
  await first.query('rollback');
  await waiting;
  const persist = persisting(() => second.query('commit'));
  expect(await persist('ordinary', { scustomer: 1 })).toEqual(['accepted']);
});

it('says of a call that is tried alone that its key is still held, whatever the lock timeout', async () => {
  await keepKey('u-1');
  expect(await persisting()('alone', { uniqueid: 'u-1' })).toEqual(['held']);
});

it('leaves out the calls of a feed whose customer, once it is looked up, is held', async () => {
  await db.execute(keysOfFeeds);
  await holding('import', 'update customers set balance = 0 where id = 2');
  const persist = aroundLocks(attemptsOn(database, BILLING, 20_000));
  const calls = [ofFeed({ uniqueid: 'u-1' }, { account: 'two' }), ofFeed({ uniqueid: 'u-2' })];
  expect(await persist(calls)).toMatchObject([{ kind: 'held', row: 'customer 2' }, { kind: 'accepted' }]);
});

it.each(['currencies', 'taxes', 'peers', 'customer_keys', 'cdrs', 'past_calls'])(
  'blames no message where %s, which all calls are decided on, is locked as a whole',
  async (table) => {
    await holding('billing', `lock table ${table} in access exclusive mode`);
    const persist = aroundLocks(attemptsOn(database, BILLING, 20_000));
    const calls = [admitted({ uniqueid: 'u-1' }), admitted({ uniqueid: 'u-2' })];
    await expect(persist(calls)).rejects.toThrow(LockedTable);
  },
);

it.each([
  ['an index of calls is built', 'create index slow on cdrs (note)'],
  ['an index of customers is built', 'create index slow on customers (name)'],
  ['an index of invoices is built', 'create index slow on invoices (total)'],
  ['somebody adds a trigger to customers', 'lock table customers in share row exclusive mode'],
  ['calls are locked against all writers', 'lock table cdrs in exclusive mode'],
])('blames no message while %s', async (_, statement) => {
  await holding('maintenance', statement);
  const persist = aroundLocks(attemptsOn(database, BILLING, 20_000));
  const calls = [
    admitted({ uniqueid: 'u-1', update_balance: 1, update_invoices: 1 }),
    admitted({ uniqueid: 'u-2', update_balance: 1, update_invoices: 1 }),
  ];
  const failure = await persist(calls).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(LockedTable);
  expect(describeFailure(failure)).toMatch(/^a whole table is locked: \w+, by process \d+ \(maintenance\)/);
});

it('blames no message while an alter table waits for a report to end, and names who waits', async () => {
  await holding('report', 'select from customers');
  const maintenance = await holding('maintenance', 'select');
  const altering = maintenance.query('alter table customers add column later int').catch(() => undefined);
  await until(async () => (await db.rows(`select from pg_locks where not granted`)).length > 0);
  const persist = aroundLocks(attemptsOn(database, BILLING, 20_000));
  const failure = await persist([admitted({ uniqueid: 'u-1' })]).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(LockedTable);
  expect(describeFailure(failure)).toMatch(
    /customers, by process \d+ \(maintenance\).*; it waits for the lock itself/,
  );
  await clients.shift()?.end();
  await altering;
});
