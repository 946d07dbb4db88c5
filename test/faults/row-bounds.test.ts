import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { block } from '../support/blocker.ts';
import { until } from '../support/broker.ts';
import { expectFaultless, metric, openSite, type Site } from '../support/faults.ts';
import type { Message } from '../support/switch.ts';

const SEED = 6201;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const WAITING = 'cdr_ingest_waiting_messages{queue="cdrs.create"}';
const MESSAGE_FAULTS = 'cdr_ingest_troubles_total{cause="message"}';
const HELD = 2;

let site: Site;
beforeEach(async () => {
  site = await openSite('row bounds', SEED, { environment: { DELIVERY_LIMIT: '1' } });
});
afterEach(() => site?.close());

const isHeld = ({ call }: Message) => call.customer === HELD;
const codesOf = ({ correlationId }: Message) => site.calls.heard(correlationId).map(({ code }) => code);
const deadLetters = () =>
  site.rows(`select reason, status, uniqueid, error, waits_for, submitted_by from dead_letters order by id`);

/** The dead letters of these calls are stored automatically, each once, and the lock has left no other trace. */
async function expectResolved(messages: readonly Message[]): Promise<void> {
  const uniqueids = [...new Set(messages.map(({ call }) => call.uniqueid))];
  await until(async () => (await deadLetters()).every(({ status }) => status === 'resolved'), 30_000);
  const found = await deadLetters();
  expect(new Set(found.map(({ uniqueid }) => uniqueid))).toEqual(new Set(uniqueids));
  expect(
    await site.rows(
      `select submitted_by from cdrs where uniqueid in (${uniqueids.map((id) => `'${id}'`).join()}) group by 1`,
    ),
  ).toEqual([{ submitted_by: 'switch' }]);
  await expectFaultless(site, { deadLetters: found.map(({ uniqueid }) => `failed ${uniqueid}`) });
}

it('calls beyond a quarter of PREFETCH do not wait for a lock but become dead letters that name it, and are stored when it is gone', async () => {
  const worker = await site.worker({ PREFETCH: '40' });
  const blocker = await block(site, `update customers set name = 'x' where id = ${HELD}`);
  const [holder] = await blocker.query('select pg_backend_pid() as pid');
  const messages = site.calls.make(150);
  const held = messages.filter(isHeld);
  expect(held.length).toBeGreaterThan(10);
  await site.calls.send(messages);
  await until(
    () => messages.filter((message) => codesOf(message).length > 0).length === messages.length - 10,
  );
  await until(async () => (await metric(worker, WAITING)) === 10);
  const kept = held.filter((message) => codesOf(message).length > 0);
  expect(new Set(kept.flatMap(codesOf))).toEqual(new Set(['400']));
  expect(new Set(messages.filter((message) => !isHeld(message)).flatMap(codesOf))).toEqual(new Set(['204']));
  for (const deadLetter of await deadLetters())
    expect(deadLetter).toMatchObject({
      reason: 'failed',
      status: 'dead',
      waits_for: `customer ${HELD}`,
      error: expect.stringMatching(
        new RegExp(
          `^customer ${HELD}: locked by process ${holder?.pid} \\(blocker\\), .*; too many calls are waiting$`,
        ),
      ),
    });
  await blocker.end();
  await site.allAnswered();
  await expectResolved(kept);
});

it('a call that waits longer than ROW_WAIT_MS becomes a dead letter, and any worker stores it when the row is free', async () => {
  const first = await site.worker({ ROW_WAIT_MS: '1000' });
  const blocker = await block(site, `select from customers where id = ${HELD} for update`);
  const messages = site.calls.make(30);
  await site.calls.send(messages);
  await site.allAnswered();
  const kept = messages.filter(isHeld);
  expect(new Set(kept.flatMap(codesOf))).toEqual(new Set(['400']));
  for (const { error } of await deadLetters()) expect(error).toMatch(/; exceeded ROW_WAIT_MS$/);
  expect(await first.stop()).toBe(0);
  await site.worker();
  await blocker.end();
  await expectResolved(kept);
});

it('workers that hold the row of a hot customer for long blame no message', async () => {
  // Like a slow disk: each batch holds its rows for longer than a statement waits for a lock.
  await site.rows(`create function be_slow() returns trigger language plpgsql as $$
    begin perform pg_sleep(0.4); return null; end $$`);
  await site.rows(
    'create trigger slow after update on customers for each statement execute function be_slow()',
  );
  const workers = await Promise.all([1, 2, 3].map(() => site.worker()));
  const load = site.calls.keepSending();
  await site.calls.moreAnswered(6000);
  await load.stop();
  await site.allAnswered(60_000);
  for (const worker of workers) expect(await metric(worker, MESSAGE_FAULTS)).toBe(0);
  await expectFaultless(site);
});
