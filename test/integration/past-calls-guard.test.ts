import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Recorded, readRecording } from '../../dev/version/record.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { migratedServices } from '../support/stack.ts';

const FIXTURE = new URL('../fixtures/version-before.jsonl', import.meta.url);

let services: Awaited<ReturnType<typeof migratedServices>>;
/** A version that does not say that it looks into past_calls. */
let before: Client;
/** This version's sessions. */
let now: Database;
/** Stored by that version, and pruned since. */
let pruned: Recorded;

beforeAll(async () => {
  services = await migratedServices('guard');
  before = new Client({ connectionString: services.databaseUrl });
  await before.connect();
  const { statements } = readRecording(readFileSync(FIXTURE, 'utf8'));
  const filling = statements.filter(({ turn }) => turn === 1);
  for (const { text, values } of filling) await before.query(text, values);
  const stored = filling.find(({ text }) => text.includes('insert into cdrs'));
  if (stored === undefined) throw new Error('the recording stores no call');
  pruned = stored;
  // The recording closed one to prune its calls.
  await before.query(`update invoices set status = 'open'`);
  now = openDatabase({
    url: services.databaseUrl,
    poolSize: 1,
    statementTimeoutMs: 20_000,
    connectTimeoutMs: 10_000,
    applicationName: 'guard',
  });
});

afterAll(async () => {
  await now?.close(5000);
  await before?.end();
  await services?.drop();
});

const sums = async () => (await before.query('select sum(charged), sum(calls) from customers')).rows;
const stored = async () => (await before.query('select count(*)::int as calls from cdrs')).rows;

it('a version from before pruning that sends a pruned call again is refused, with words, and charges nothing', async () => {
  const untouched = [await sums(), await stored()];
  await expect(before.query(pruned.text, pruned.values)).rejects.toMatchObject({
    code: 'CDR03',
    message: expect.stringContaining('has been pruned'),
  });
  expect([await sums(), await stored()]).toEqual(untouched);
});

it('so is whoever may write calls and not read past ones', async () => {
  await before.query(
    'begin; create role guard_writer; grant insert on cdrs to guard_writer; set role guard_writer',
  );
  const insert = `insert into cdrs (uniqueid) values ('least-1')`;
  await expect(before.query(insert)).rejects.toMatchObject({ code: 'CDR03' });
  await before.query('rollback');
});

it('sessions of this version, which look there themselves, are not looked after', async () => {
  const said = await now.prisma.$queryRawUnsafe(
    `select current_setting('cdr_ingest.knows_past_calls', true) as said`,
  );
  expect(said).toEqual([{ said: 'on' }]);
  await before.query(`begin; set local cdr_ingest.knows_past_calls = 'on'`);
  expect((await before.query(pruned.text, pruned.values)).rows).not.toEqual([]);
  await before.query('rollback');
});
