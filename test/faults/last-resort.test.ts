import { connect } from 'amqplib';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { until } from '../support/broker.ts';
import { expectFaultless, metric, openSite, type Site } from '../support/faults.ts';
import type { WorkerProcess } from '../support/worker.ts';

const SEED = 6301;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
/** More than PREFETCH. */
const FLOOD = 1700;
const UNKEEPABLE = 'cdr_ingest_unkeepable_messages_total';

let site: Site;
let worker: WorkerProcess;
beforeEach(async () => {
  site = await openSite('last resort', SEED, { environment: { DELIVERY_LIMIT: '1' } });
  worker = await site.worker();
});
afterEach(() => site?.close());

/** Makes the database refuse every dead letter for which `condition` is true. */
async function refuseDeadLetters(condition: string, code = '22P05'): Promise<void> {
  await site.rows(`create function refuse_dead_letters() returns trigger language plpgsql as $$
    begin if ${condition} then raise exception using errcode = '${code}', message = 'no'; end if; return new; end $$`);
  await site.rows(`create trigger refuses before insert on dead_letters
    for each row execute function refuse_dead_letters()`);
}

async function publish(exchange: string, key: string, body: string, headers = {}): Promise<void> {
  const connection = await connect(site.amqpUrl);
  const channel = await connection.createConfirmChannel();
  channel.publish(exchange, key, Buffer.from(body), { persistent: true, headers });
  await channel.waitForConfirms();
  await connection.close();
}

async function othersAreServed(): Promise<void> {
  await site.calls.send(site.calls.make(100));
  await site.allAnswered();
}

const deadLetters = () => site.rows('select reason, status, body from dead_letters order by id');

it.each([
  ['as wrong', '22P05'],
  ['as if the disk were full', '53100'],
])('a message whose dead letter the database refuses %s is kept as plain bytes', async (_, code) => {
  await refuseDeadLetters(`new.body not like '% bytes, as hex: %'`, code);
  await publish('cdrs', 'cdrs.create', 'garbage');
  await othersAreServed();
  await until(async () => (await deadLetters()).length > 0);
  const hex = Buffer.from('garbage').toString('hex');
  expect(await deadLetters()).toEqual([
    { reason: 'failed', status: 'dead', body: `7 bytes, as hex: ${hex}` },
  ]);
  await until(async () => (await metric(worker, 'cdr_ingest_in_flight_messages')) === 0);
  await expectFaultless(site, { deadLetters: expect.any(Array) });
});

it('a message that cannot be kept in any form stays unacknowledged until it can, and delays no other', async () => {
  await refuseDeadLetters(
    `new.body like '%garbage%' or new.body like '%' || encode('garbage', 'hex') || '%'`,
  );
  await publish('cdrs', 'cdrs.create', 'garbage');
  await othersAreServed();
  await until(async () => (await metric(worker, UNKEEPABLE)) > 0);
  await worker.logged('cannot store a dead letter for this message in any form');
  await othersAreServed();
  expect(await deadLetters()).toEqual([]);
  await until(async () => (await metric(worker, 'cdr_ingest_in_flight_messages')) === 1);
  await site.rows('drop trigger refuses on dead_letters');
  await until(async () => (await deadLetters()).length > 0, 30_000);
  await expectFaultless(site, { deadLetters: expect.any(Array) });
});

it('a dead letter that a trigger silently drops does not count as kept', async () => {
  await site.rows(
    `create function leave_out() returns trigger language plpgsql as $$ begin return null; end $$`,
  );
  await site.rows(`create trigger refuses before insert on dead_letters
    for each row execute function leave_out()`);
  await publish('cdrs', 'cdrs.create', 'garbage');
  await othersAreServed();
  await until(async () => (await metric(worker, UNKEEPABLE)) > 0);
  await worker.logged('dead letters that the database leaves out without an error');
  await until(async () => (await metric(worker, 'cdr_ingest_in_flight_messages')) === 1);
  await site.rows('drop trigger refuses on dead_letters');
  await until(async () => (await deadLetters()).length > 0, 30_000);
  await expectFaultless(site, { deadLetters: expect.any(Array) });
});

it('more messages than PREFETCH that cannot be kept stop no call, and none of them is lost', async () => {
  await refuseDeadLetters('true', 'P0001');
  const connection = await connect(site.amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (let index = 0; index < FLOOD; index += 1)
    channel.publish('cdrs', 'cdrs.create', Buffer.from(`garbage ${index}`), { persistent: true });
  await channel.waitForConfirms();
  await connection.close();
  await site.calls.send(site.calls.make(300));
  await site.allAnswered(60_000);
  await site.rows('drop trigger refuses on dead_letters');
  // One that was being tried while the trigger was dropped may be kept as hex.
  const kept = () => site.rows('select count(*)::text from dead_letters');
  await until(async () => (await kept())[0]?.count === String(FLOOD), 60_000);
});

it('a quarantined message that cannot be kept blocks no other quarantined message', async () => {
  await refuseDeadLetters(
    `new.body like '%garbage%' or new.body like '%' || encode('garbage', 'hex') || '%'`,
  );
  const tooOften = { 'x-death': [{ count: 1, reason: 'delivery_limit', queue: 'cdrs.create' }] };
  await publish('', 'cdrs.dead', 'garbage', tooOften);
  await until(async () => (await metric(worker, UNKEEPABLE)) > 0);
  await publish('', 'cdrs.dead', 'rubbish', tooOften);
  // Kept as quarantined, tried alone, refused as not a call, and kept as that.
  await until(async () => (await deadLetters()).length === 2);
  expect(await deadLetters()).toEqual([
    { reason: 'poison', status: 'discarded', body: 'rubbish' },
    { reason: 'rejected', status: 'dead', body: 'rubbish' },
  ]);
  await site.rows('drop trigger refuses on dead_letters');
  await until(
    async () => (await site.rows(`select id from dead_letters where body = 'garbage'`)).length > 0,
    30_000,
  );
});
