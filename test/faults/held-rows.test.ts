import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Blocker, block } from '../support/blocker.ts';
import { until } from '../support/broker.ts';
import { expectFaultless, faultless, metric, openSite, readiness, type Site } from '../support/faults.ts';
import type { Message } from '../support/switch.ts';
import type { WorkerProcess } from '../support/worker.ts';

const SEED = 6101;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const WAITING = 'cdr_ingest_waiting_messages{queue="cdrs.create"}';
const PAUSED = 'cdr_ingest_paused{queue="cdrs.create"}';
const HELD = 2;
const troubles = (cause: string) => metric(worker, `cdr_ingest_troubles_total{cause="${cause}"}`);

let site: Site;
let worker: WorkerProcess;
/** Uniqueids of the calls that a trigger refused. */
let refused: string[] = [];

beforeAll(async () => {
  // Waiting may not cost a single redelivery.
  site = await openSite('held rows', SEED, {
    environment: { DELIVERY_LIMIT: '1', STATEMENT_TIMEOUT_MS: '2000' },
  });
  await site.rows(`insert into invoices (id, customer, currency, period_start, period_end) values
    (10, 1, 'USD', '2023-01-01', '2024-01-01'), (20, 2, 'USD', '2023-01-01', '2024-01-01')`);
  worker = await site.worker();
});
afterAll(() => site?.close());

const of = (messages: readonly Message[], isHeld: boolean) =>
  messages.filter(({ call }) => (call.customer === HELD) === isHeld);
const isAnswered = ({ correlationId }: Message) => site.calls.heard(correlationId).length > 0;

/** Sends calls of all customers several times: those of one customer wait, all others are stored at once. */
async function expectOthersServed(): Promise<Message[]> {
  const sent: Message[] = [];
  for (let round = 0; round < 4; round += 1) {
    const messages = site.calls.make(30);
    sent.push(...messages);
    await site.calls.send(messages);
    await until(() => of(messages, false).every(isAnswered), 20_000);
  }
  for (const { correlationId } of of(sent, false))
    expect(site.calls.heard(correlationId).map(({ code }) => code)).toEqual(['204']);
  const waiting = of(sent, true);
  expect(waiting.length).toBeGreaterThan(3);
  expect(waiting.filter(isAnswered)).toEqual([]);
  await until(async () => (await metric(worker, WAITING)) === waiting.length);
  // /readyz repeats the same reading for half a second.
  await until(async () => {
    const { status, parts } = await readiness(worker);
    expect(status).toBe(200);
    return (parts as { waiting?: number }).waiting === waiting.length;
  });
  return waiting;
}

async function expectServedSoon(waiting: readonly Message[]): Promise<void> {
  await until(() => waiting.every(isAnswered), 30_000);
  await until(async () => (await metric(worker, PAUSED)) === 0);
  await until(async () => (await metric(worker, WAITING)) === 0);
  expect(await site.books()).toEqual(faultless);
}

const invoiceOfHeld = `(select id from invoices where customer = ${HELD})`;

it.each([
  ['an open transaction has updated a customer', `update customers set name = 'x' where id = ${HELD}`],
  ['another session holds a customer for update', `select from customers where id = ${HELD} for update`],
  ['another session holds a customer for share', `select from customers where id = ${HELD} for share`],
  [
    'an open transaction has updated an invoice',
    `update invoices set status = status where id = ${invoiceOfHeld}`,
  ],
  [
    'another session holds an invoice for update',
    `select from invoices where id = ${invoiceOfHeld} for update`,
  ],
])(
  'while %s, only calls of that customer wait, and they are stored when the row is free',
  async (_, statement) => {
    const [locks, collisions] = [await troubles('lock'), await troubles('collision')];
    const blocker = await block(site, statement);
    const waiting = await expectOthersServed();
    await blocker.end();
    await expectServedSoon(waiting);
    expect(await troubles('lock')).toBeGreaterThan(locks);
    expect(await troubles('collision')).toBe(collisions);
    expect(worker.output()).toMatch(
      /"cause":"lock","description":"\w+ \d+: locked by process \d+ \(blocker\)/,
    );
  },
);

/** Creates a trigger that acts on the rows of one customer; returns how to drop it. */
async function trigger(
  table: 'customers' | 'invoices' | 'cdrs',
  action: string,
): Promise<() => Promise<void>> {
  const column = { customers: 'id', invoices: 'customer', cdrs: 'scustomer' }[table];
  await site.rows(`create or replace function act_on_one_customer() returns trigger language plpgsql as $$
    begin if new.${column} = ${HELD} then ${action} end if; return new; end $$`);
  const event = table === 'cdrs' ? 'insert' : 'update';
  await site.rows(`create trigger acts_on_one_customer before ${event} on ${table}
    for each row execute function act_on_one_customer()`);
  return async () => {
    await site.rows(`drop trigger acts_on_one_customer on ${table}`);
  };
}

const raising = (code: string) => `raise exception using errcode = '${code}', message = 'no';`;

it.each([
  ['skips updates of a customer', 'customers', 'return null;'],
  ['skips updates of an invoice', 'invoices', 'return null;'],
  ['skips calls of a customer', 'cdrs', 'return null;'],
  ['raises a serialization failure for a customer', 'customers', raising('40001')],
  ['raises a lock timeout for a customer', 'customers', raising('55P03')],
  ['raises a statement timeout for an invoice', 'invoices', raising('57014')],
  ['raises a full disk for calls of a customer', 'cdrs', raising('53100')],
  ['raises a missing privilege for a customer', 'customers', raising('42501')],
  ['raises a lost connection for a customer', 'customers', raising('08006')],
  ['raises changed terms for an invoice', 'invoices', raising('CDR01')],
  ['sleeps on a customer', 'customers', 'perform pg_sleep(60);'],
] as const)(
  'while a trigger %s, only calls of that customer wait, and they are stored when it is gone',
  async (_, table, action) => {
    const remove = await trigger(table, action);
    const waiting = await expectOthersServed();
    await remove();
    await expectServedSoon(waiting);
  },
);

it.each(['customers', 'invoices'])(
  'while row security forbids changing a row of %s, only calls of that customer wait',
  async (table) => {
    await site.rows(`create role rows_limited login password 'limited'`);
    await site.rows('grant all on all tables in schema public to rows_limited');
    await site.rows('grant all on all sequences in schema public to rows_limited');
    const column = table === 'customers' ? 'id' : 'customer';
    await site.rows(`create policy look on ${table} for select using (true)`);
    await site.rows(`create policy move on ${table} for update using (${column} <> ${HELD})`);
    await site.rows(`alter table ${table} enable row level security`);
    const url = new URL(site.databaseUrl);
    [url.username, url.password] = ['rows_limited', 'limited'];
    await worker.stop();
    worker = await site.worker({ DATABASE_URL: url.href });
    const waiting = await expectOthersServed();
    await site.rows(`alter table ${table} disable row level security`);
    await expectServedSoon(waiting);
    await worker.stop();
    await site.rows(`drop policy look on ${table}`);
    await site.rows(`drop policy move on ${table}`);
    await site.rows('drop owned by rows_limited');
    await site.rows('drop role rows_limited');
    worker = await site.worker();
  },
);

it.each(['lock table customers in exclusive mode', 'create index slow on cdrs (note)'])(
  'while a whole table is locked all calls wait, and none is blamed: %s',
  async (statement) => {
    const locks = await troubles('lock');
    const blocker: Blocker = await block(site, statement);
    const messages = site.calls.make(60);
    await site.calls.send(messages);
    await until(async () => (await metric(worker, PAUSED)) === 1);
    await worker.logged('a whole table is locked');
    expect(await troubles('lock')).toBeGreaterThan(locks);
    expect((await readiness(worker)).status).toBe(503);
    expect(messages.filter(isAnswered)).toEqual([]);
    await blocker.end();
    await site.allAnswered();
    await until(async () => (await metric(worker, PAUSED)) === 0);
    expect(await site.books()).toEqual(faultless);
  },
);

it('calls of one customer that a trigger refuses as wrong become dead letters at once, and no other call does', async () => {
  const remove = await trigger('customers', raising('P0001'));
  const messages = site.calls.make(60);
  await site.calls.send(messages);
  await site.allAnswered();
  const held = of(messages, true);
  for (const { correlationId } of held)
    expect(site.calls.heard(correlationId)).toMatchObject([{ code: '400', key: '' }]);
  await remove();
  refused = [...new Set(held.map(({ call }) => call.uniqueid))];
});

it('after all of these faults every call is stored and charged exactly once', async () => {
  await expectFaultless(site, {
    lost: refused,
    deadLetters: refused.map((uniqueid) => `failed ${uniqueid}`),
  });
});
