import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Blocker, block } from '../support/blocker.ts';
import { until } from '../support/broker.ts';
import { expectFaultless, metric, openSite, readiness, type Site } from '../support/faults.ts';
import type { Message } from '../support/switch.ts';
import type { WorkerProcess } from '../support/worker.ts';

const SEED = 6101;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const WAITING = 'cdr_ingest_waiting_messages{queue="cdrs.create"}';
const PAUSED = 'cdr_ingest_paused{queue="cdrs.create"}';
const HELD = 2;

let site: Site;
let worker: WorkerProcess;

beforeEach(async () => {
  // Not one delivery may be spent on what waits.
  site = await openSite('held rows', SEED, {
    environment: { DELIVERY_LIMIT: '1', STATEMENT_TIMEOUT_MS: '2000' },
  });
  await site.rows(`insert into invoices (id, customer, currency, period_start, period_end) values
    (10, 1, 'USD', '2023-01-01', '2024-01-01'), (20, 2, 'USD', '2023-01-01', '2024-01-01')`);
  worker = await site.worker();
});
afterEach(() => site?.close());

const of = (messages: readonly Message[], isHeld: boolean) =>
  messages.filter(({ call }) => (call.customer === HELD) === isHeld);
const isAnswered = ({ correlationId }: Message) => site.calls.heard(correlationId).length > 0;

/** Sends calls of everybody again and again: those of one customer wait, all others are stored at once. */
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
  // A reading is given to whoever asks within half a second.
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
  await expectFaultless(site);
}

const invoiceOfHeld = `(select id from invoices where customer = ${HELD})`;

it.each([
  [
    'a billing job changes the row of a customer and goes to lunch',
    `update customers set name = 'x' where id = ${HELD}`,
  ],
  [
    'somebody looks at the row of a customer for update',
    `select from customers where id = ${HELD} for update`,
  ],
  ['several share the row of a customer', `select from customers where id = ${HELD} for share`],
  [
    'a billing job changes an invoice and goes to lunch',
    `update invoices set status = status where id = ${invoiceOfHeld}`,
  ],
  ['somebody looks at an invoice for update', `select from invoices where id = ${invoiceOfHeld} for update`],
])('while %s, only its calls wait, and they are stored when it is free', async (_, statement) => {
  const blocker = await block(site, statement);
  const waiting = await expectOthersServed();
  await blocker.end();
  await expectServedSoon(waiting);
});

/** A trigger on a table that does something to the rows of one customer. */
async function trigger(
  table: 'customers' | 'invoices' | 'cdrs',
  action: string,
): Promise<() => Promise<void>> {
  const column = { customers: 'id', invoices: 'customer', cdrs: 'scustomer' }[table];
  await site.rows(`create function stand_in_the_way() returns trigger language plpgsql as $$
    begin if new.${column} = ${HELD} then ${action} end if; return new; end $$`);
  const event = table === 'cdrs' ? 'insert' : 'update';
  await site.rows(`create trigger stands_in_the_way before ${event} on ${table}
    for each row execute function stand_in_the_way()`);
  return async () => {
    await site.rows(`drop trigger stands_in_the_way on ${table}`);
  };
}

const raising = (code: string) => `raise exception using errcode = '${code}', message = 'no';`;

it.each([
  ['keeps a customer where it is', 'customers', 'return null;'],
  ['keeps an invoice where it is', 'invoices', 'return null;'],
  ['leaves calls of a customer out', 'cdrs', 'return null;'],
  ['says for a customer that it could not serialize', 'customers', raising('40001')],
  ['says for a customer that a lock was not to be had', 'customers', raising('55P03')],
  ['says for an invoice that a statement took too long', 'invoices', raising('57014')],
  ['says for calls of a customer that the disk is full', 'cdrs', raising('53100')],
  ['says for a customer that something is not granted', 'customers', raising('42501')],
  ['says for a customer that the connection is gone', 'customers', raising('08006')],
  ['says for an invoice that terms have changed', 'invoices', raising('CDR01')],
  ['sleeps over a customer', 'customers', 'perform pg_sleep(60);'],
] as const)(
  'while a trigger %s, only its calls wait, and they are stored when it is gone',
  async (_, table, action) => {
    const remove = await trigger(table, action);
    const waiting = await expectOthersServed();
    await remove();
    await expectServedSoon(waiting);
  },
);

it.each(['customers', 'invoices'])(
  'while row security hides a row of %s from being changed, only its calls wait',
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
    await site.rows('drop owned by rows_limited');
    await site.rows('drop role rows_limited');
  },
);

it('a trigger that refuses calls of one customer as wrong costs these alone, at once', async () => {
  await trigger('customers', raising('P0001'));
  const messages = site.calls.make(60);
  await site.calls.send(messages);
  await site.allAnswered();
  const refused = of(messages, true);
  for (const { correlationId } of refused)
    expect(site.calls.heard(correlationId)).toMatchObject([{ code: '400', key: '' }]);
  await site.rows('drop trigger stands_in_the_way on customers');
  const lost = [...new Set(refused.map(({ call }) => call.uniqueid))];
  await expectFaultless(site, { lost, deadLetters: lost.map((uniqueid) => `failed ${uniqueid}`) });
});

it('while a whole table is locked everybody waits, and nobody is blamed', async () => {
  const blocker: Blocker = await block(site, 'lock table customers in exclusive mode');
  const messages = site.calls.make(60);
  await site.calls.send(messages);
  await until(async () => (await metric(worker, PAUSED)) === 1);
  await worker.logged('a whole table is locked');
  expect((await readiness(worker)).status).toBe(503);
  expect(messages.filter(isAnswered)).toEqual([]);
  await blocker.end();
  await site.allAnswered();
  await expectFaultless(site);
});
