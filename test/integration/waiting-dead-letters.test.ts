import pino from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BilledMessage } from '../../src/domain/billed-message.ts';
import { Feeds } from '../../src/worker/feeds.ts';
import { tryWaitingDeadLetters } from '../../src/worker/waiting-dead-letters.ts';
import { feedIn } from '../sources/feeds.ts';
import { BILLING } from '../support/billing.ts';
import { until } from '../support/broker.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

const FEED = feedIn(`fs:
  exchange: cdrs.from.fs
  as: switch-fs
  machines: [m]
  format: json
  call: { uniqueid: id, machine: host, start: { from: begin, time: s }, scustomer: account }
`);

let db: BillingDatabase;

beforeAll(async () => {
  db = await billingDatabase('waiting-dead-letters');
});
afterAll(async () => {
  await db?.drop();
});

async function waitingRecord(uniqueid: string, source: string): Promise<void> {
  const body = JSON.stringify({ id: uniqueid, host: 'm', begin: '1', account: '1', validation: 1 });
  await db.execute(
    `insert into dead_letters (reason, uniqueid, source, body, digest, verified, submitted_by, waits_for)
     values ('failed', '${uniqueid}', '${source}', '${body}', sha256('${uniqueid}'), true, 'switch-fs', 'customer 2')`,
  );
}

async function waiting(uniqueid: string, more: object): Promise<void> {
  const body = JSON.stringify({ uniqueid, machine: 'm', start: 1, scustomer: 1, cost: '2', ...more });
  await db.execute(
    `insert into dead_letters (reason, uniqueid, body, digest, verified, submitted_by, waits_for)
     values ('failed', '${uniqueid}', '${body}', sha256('${uniqueid}'), true, 'switch', 'customer 1')`,
  );
}

it('a dead letter that waited for a row is stored automatically, but not one whose sender asked only for validation', async () => {
  await waiting('asked', { validation: 1 });
  await waiting('called', {});
  const rules = { maxBodyBytes: 10_000, keptBodyBytes: 4096, ignored: new Set<string>() };
  const trying = tryWaitingDeadLetters({
    database: db,
    rules: { ...rules, systemCurrency: 'USD', feeds: new Feeds([FEED]), program: 'worker' },
    billing: BILLING,
    billed: undefined,
    everyMs: 20,
    log: pino({ level: 'silent' }),
  });
  const deadLetters = () => db.rows('select uniqueid, status from dead_letters order by id');
  // The oldest of a row comes first: when the second is stored, the first has had its turn.
  await until(async () => (await deadLetters())[1]?.status === 'resolved').finally(trying.stop);
  expect(await deadLetters()).toEqual([
    { uniqueid: 'asked', status: 'dead' },
    { uniqueid: 'called', status: 'resolved' },
  ]);
  expect(await db.rows('select uniqueid from cdrs')).toEqual([{ uniqueid: 'called' }]);
});

it('a record that waited is mapped by its feed; one of a feed that this worker does not know waits on, and delays no other', async () => {
  await db.execute('truncate dead_letters, dead_letter_events, cdrs');
  await waitingRecord('unknown', 'other');
  await waitingRecord('known', 'fs');
  const rules = { maxBodyBytes: 10_000, keptBodyBytes: 4096, ignored: new Set<string>() };
  const trying = tryWaitingDeadLetters({
    database: db,
    rules: { ...rules, systemCurrency: 'USD', feeds: new Feeds([FEED]), program: 'worker' },
    billing: BILLING,
    billed: undefined,
    everyMs: 20,
    log: pino({ level: 'silent' }),
  });
  const deadLetters = () =>
    db.rows(`select uniqueid, status, (tried_at is null)::text as waits from dead_letters order by id`);
  await until(async () => (await deadLetters())[1]?.status === 'resolved').finally(trying.stop);
  expect(await deadLetters()).toEqual([
    { uniqueid: 'unknown', status: 'dead', waits: 'true' },
    { uniqueid: 'known', status: 'resolved', waits: 'false' },
  ]);
  expect(await db.rows('select uniqueid, source, submitted_by from cdrs')).toEqual([
    { uniqueid: 'known', source: 'fs', submitted_by: 'switch-fs' },
  ]);
});

it('a dead letter that an operator has corrected is left to him: what came must not be charged any more', async () => {
  await db.execute('truncate dead_letters, dead_letter_events, cdrs');
  await waiting('set', {});
  await db.execute(`update dead_letters set edits = '{"cost":"1"}' where uniqueid = 'set'`);
  await waiting('rewritten', {});
  await db.execute(`update dead_letters set mended_body = '{}' where uniqueid = 'rewritten'`);
  await waiting('as-it-came', {});
  const rules = { maxBodyBytes: 10_000, keptBodyBytes: 4096, ignored: new Set<string>() };
  const trying = tryWaitingDeadLetters({
    database: db,
    rules: { ...rules, systemCurrency: 'USD', feeds: new Feeds([FEED]), program: 'worker' },
    billing: BILLING,
    billed: undefined,
    everyMs: 20,
    log: pino({ level: 'silent' }),
  });
  const stored = () => db.rows('select uniqueid from cdrs');
  // The oldest of a row comes first: when the last is stored, the others have had their turn.
  await until(async () => (await stored()).some(({ uniqueid }) => uniqueid === 'as-it-came')).finally(
    trying.stop,
  );
  expect(await stored()).toEqual([{ uniqueid: 'as-it-came' }]);
});

it('where others are told what calls were charged, it waits on until they are, and they are told as often as they must', async () => {
  await db.execute('truncate dead_letters, dead_letter_events, cdrs');
  await waiting('told', {});
  const told: BilledMessage[] = [];
  const rules = { maxBodyBytes: 10_000, keptBodyBytes: 4096, ignored: new Set<string>() };
  const deadLetters = () => db.rows('select uniqueid, status from dead_letters');
  const trying = tryWaitingDeadLetters({
    database: db,
    rules: { ...rules, systemCurrency: 'USD', feeds: new Feeds([FEED]), program: 'worker' },
    billing: BILLING,
    billed: {
      isTaking: true,
      publish: async (messages) => {
        // Nothing may be resolved that is not told, nor told that is not stored.
        expect(await deadLetters()).toEqual([{ uniqueid: 'told', status: 'dead' }]);
        expect(await db.rows('select uniqueid from cdrs')).toEqual([{ uniqueid: 'told' }]);
        told.push(...messages);
        return messages.map(() => (told.length < 2 ? 'failed' : 'confirmed'));
      },
    },
    everyMs: 20,
    log: pino({ level: 'silent' }),
  });
  await until(async () => (await deadLetters())[0]?.status === 'resolved').finally(trying.stop);
  expect(told.map(({ id, isRepeat }) => [id, isRepeat])).toEqual([
    ['call:told', false],
    ['call:told', true],
  ]);
});
