import { Client } from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { customerRow, type HeldBy } from '../../src/domain/held.ts';
import { WORKER_NAME } from '../../src/store/database.ts';
import { unmovedRows } from '../../src/store/failures.ts';
import { persistUnlessHeld } from '../../src/store/persist/persist.ts';
import { lockedRows } from '../../src/store/persist/row-locks.ts';
import { BILLING } from '../support/billing.ts';
import { admitted, type BillingDatabase, billingDatabase, type Parameters } from '../support/persisting.ts';

let db: BillingDatabase;
const clients: Client[] = [];

beforeEach(async () => {
  db = await billingDatabase('row-locks');
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end();
  await db.drop();
});

/** Another session with a transaction open. Returns its process id. */
async function holding(applicationName: string, ...statements: string[]): Promise<number> {
  const client = new Client({ connectionString: db.databaseUrl, application_name: applicationName });
  clients.push(client);
  await client.connect();
  await client.query('begin');
  for (const statement of statements) await client.query(statement);
  return Number((await client.query('select pg_backend_pid() as pid')).rows[0].pid);
}

const ALL = {
  customers: [1, 2, 3],
  invoiced: [1],
  openStatuses: BILLING.openStatuses,
  invoices: [20],
  deadLetters: [],
};
const found = async () =>
  (await lockedRows(db.sql, ALL)).map(({ of, id, pid, isOfWorker }) => `${of} ${id} ${pid} ${isOfWorker}`);

it('tells of rows that are free nothing', async () => {
  expect(await found()).toEqual([]);
});

it('tells who has changed a row, looked at it for update, or shares it with others', async () => {
  const changing = await holding('billing', 'update customers set name = name where id = 1');
  const looking = await holding('psql', 'select from invoices where id in (10, 20) for update');
  const sharing = await holding('report', 'select from customers where id = 2 for share');
  const other = await holding('other report', 'select from customers where id = 2 for share');
  const rows = await found();
  expect([`customer 2 ${sharing} false`, `customer 2 ${other} false`]).toContain(rows[1]);
  expect(rows).toEqual([
    `customer 1 ${changing} false`,
    rows[1],
    `invoice 10 ${looking} false`,
    `invoice 20 ${looking} false`,
  ]);
});

it('sees through a savepoint, and through a key that others hold at the same time', async () => {
  await holding('foreign keys', 'select from customers where id = 3 for key share');
  const changing = await holding(
    'billing',
    'savepoint one',
    'update customers set name = name where id = 3',
    'release one',
  );
  expect(await found()).toEqual([`customer 3 ${changing} false`]);
});

it('blames nobody for a row of a worker because others keep its key, or have other rows', async () => {
  await holding('foreign keys', 'select from customers where id = 3 for key share');
  await holding('billing', 'update customers set name = name where id = 1');
  const worker = await holding(WORKER_NAME, 'update customers set calls = calls where id = 3');
  expect(await found()).toContainEqual(`customer 3 ${worker} true`);
});

it('says that a worker has a row', async () => {
  const worker = await holding(WORKER_NAME, 'select from customers where id = 1 for no key update');
  expect(await found()).toEqual([`customer 1 ${worker} true`]);
});

it('says that no lock is in the way of a foreign key', async () => {
  await holding('foreign keys', 'select from customers where id = 3 for key share');
  expect(await found()).toEqual([]);
});

const persisted = async (isHeld: HeldBy, ...calls: Parameters[]) =>
  (await persistUnlessHeld(db.sql, calls.map(admitted), { billing: BILLING, isHeld })).map(
    ({ kind }) => kind,
  );

it('what is held is left alone, and what comes after it with its uniqueid', async () => {
  const isHeld: HeldBy = (row) =>
    row === customerRow(1) ? { kind: 'held', cause: 'lock', row, why: 'somebody' } : undefined;
  expect(
    await persisted(
      isHeld,
      { uniqueid: 'u-1', scustomer: 1 },
      { uniqueid: 'u-2', scustomer: 2 },
      { uniqueid: 'u-1', scustomer: 1 },
      { uniqueid: 'u-1', scustomer: 2 },
      { uniqueid: 'u-3', scustomer: 1, update_balance: 0 },
      { uniqueid: 'u-4', scustomer: 1, cost: 'much' },
    ),
  ).toEqual(['held', 'accepted', 'held', 'held', 'accepted', 'rejected']);
  expect(await db.rows('select uniqueid from cdrs order by 1')).toEqual([
    { uniqueid: 'u-2' },
    { uniqueid: 'u-3' },
  ]);
});

it('names the rows that a trigger keeps where they are, and stores nothing then', async () => {
  await db.execute(`create function veto() returns trigger language plpgsql as $$ begin return null; end $$`);
  await db.execute('create trigger veto before update on customers for each row execute function veto()');
  const failure = await db
    .persist([
      { uniqueid: 'u-1', scustomer: 1 },
      { uniqueid: 'u-2', scustomer: 2 },
    ])
    .catch((error: unknown) => error);
  expect(unmovedRows(failure)?.of).toBe('customer');
  expect(new Set(unmovedRows(failure)?.ids)).toEqual(new Set(['1', '2']));
  expect(await db.rows('select uniqueid from cdrs')).toEqual([]);
});
