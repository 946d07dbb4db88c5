import { connect } from 'amqplib';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Blocker, block } from '../support/blocker.ts';
import { until } from '../support/broker.ts';
import { expectFaultless, metric, openSite, type Site } from '../support/faults.ts';
import type { Message } from '../support/switch.ts';
import type { WorkerProcess } from '../support/worker.ts';

const SEED = 6401;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const WAITING = 'cdr_ingest_waiting_messages{queue="cdrs.create"}';

let site: Site;
let worker: WorkerProcess;
beforeEach(async () => {
  site = await openSite('held keys', SEED, { environment: { DELIVERY_LIMIT: '1' } });
  worker = await site.worker();
});
afterEach(() => site?.close());

const codesOf = ({ correlationId }: Message) => site.calls.heard(correlationId).map(({ code }) => code);
const areAnswered = (messages: readonly Message[]) =>
  messages.every((message) => codesOf(message).length > 0);

/** A session that has inserted a call of this uniqueid and does not commit. */
async function insertAndWait(uniqueid: string): Promise<Blocker> {
  await site.calls.send(site.calls.make(1));
  await site.allAnswered();
  return await block(
    site,
    `insert into cdrs select (jsonb_populate_record(x, jsonb_build_object('uniqueid', '${uniqueid}'))).* from cdrs x limit 1`,
  );
}

it('while another session holds an uncommitted uniqueid, only the call with that uniqueid waits, even among calls of one customer', async () => {
  const messages = site.calls.make(300).filter(({ call }) => call.customer === 1);
  const [first, ...others] = messages;
  if (first === undefined) throw new Error('no calls');
  const same = messages.filter(({ call }) => call.uniqueid === first.call.uniqueid);
  const rest = others.filter((message) => !same.includes(message));
  const blocker = await insertAndWait(first.call.uniqueid);
  await site.calls.send(messages);
  await until(() => areAnswered(rest), 6000);
  expect(new Set(rest.flatMap(codesOf))).toEqual(new Set(['204']));
  expect(same.flatMap(codesOf)).toEqual([]);
  await until(async () => (await metric(worker, WAITING)) === same.length);
  await blocker.end();
  await until(() => areAnswered(same), 30_000);
  expect(new Set(same.flatMap(codesOf))).toEqual(new Set(['204']));
});

async function publishGarbage(): Promise<void> {
  const connection = await connect(site.amqpUrl);
  const channel = await connection.createConfirmChannel();
  channel.publish('cdrs', 'cdrs.create', Buffer.from('garbage'), { persistent: true });
  await channel.waitForConfirms();
  await connection.close();
}

it('while another session holds the row of a dead letter, only a message that would update that row waits', async () => {
  await publishGarbage();
  const deadLetters = () => site.rows(`select deaths::text from dead_letters where body = 'garbage'`);
  await until(async () => (await deadLetters()).length === 1);
  const blocker = await block(site, `update dead_letters set error = error where body = 'garbage'`);
  await publishGarbage();
  const messages = site.calls.make(100);
  await site.calls.send(messages);
  await until(() => areAnswered(messages), 6000);
  await until(async () => (await metric(worker, WAITING)) === 1);
  await blocker.end();
  await until(async () => (await deadLetters())[0]?.deaths === '2', 30_000);
  await expectFaultless(site, { deadLetters: expect.any(Array) });
});

it('a session that calls itself a worker and keeps a row locked does not delay others', async () => {
  const blocker = await block(
    site,
    `set application_name = 'cdr-ingest worker'; update customers set name = 'x' where id = 2`,
  );
  const messages = site.calls.make(100);
  const held = messages.filter(({ call }) => call.customer === 2);
  await site.calls.send(messages);
  await until(() => areAnswered(messages.filter((message) => !held.includes(message))), 8000);
  expect(held.flatMap(codesOf)).toEqual([]);
  await blocker.end();
  await site.allAnswered();
  await expectFaultless(site);
});

it('calls are stored while the table of dead letters is locked', async () => {
  const blocker = await block(site, 'lock table dead_letters in share mode');
  await site.calls.send(site.calls.make(50));
  await site.allAnswered();
  await blocker.end();
  await expectFaultless(site);
});
