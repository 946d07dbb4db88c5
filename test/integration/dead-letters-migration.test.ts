import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

const FILE = new URL(
  '../../prisma/migrations/20261128000201_letters_of_before/migration.sql',
  import.meta.url,
);

let db: BillingDatabase;

beforeAll(async () => {
  db = await billingDatabase('letters-migration');
});

afterAll(async () => {
  await db?.drop();
});

/** What the migration does with rows that are there. */
async function fill(): Promise<void> {
  const client = new Client({ connectionString: db.databaseUrl });
  await client.connect();
  await client.query(readFileSync(FILE, 'utf8'));
  await client.end();
}

const response = (key: string) => JSON.stringify([{ code: '400', key, message: 'x' }]);
/** Dead letters as the version before left them: their names say what they must become. */
const LETTERS: [name: string, reason: string, sender: string | null, responses: string, body: string][] = [
  ['verified', 'rejected', 'switch', response('scustomer'), '{"uniqueid":"1"}'],
  ['verified', 'conflict', 'switch', response('uniqueid'), '{"uniqueid":"1"}'],
  ['verified', 'forbidden', 'auditor', '[{"code":"402","key":"","message":"x"}]', '{"uniqueid":"1"}'],
  ['unverified', 'rejected', 'switch', response('auth_password'), '{"uniqueid":"1"}'],
  ['unverified', 'rejected', null, response('auth_username'), '{"uniqueid":"1"}'],
  ['unverified', 'rejected', 'switch', response(''), '{"uniqueid":"1"}'],
  ['unverified', 'unauthenticated', 'switch', '[{"code":"401","key":"","message":"x"}]', '{}'],
  ['unverified', 'poison', 'switch', response(''), '{"uniqueid":"1"}'],
  ['unverified', 'unroutable', 'switch', response(''), '{"uniqueid":"1"}'],
  ['unverified', 'failed', 'switch', response(''), '{"uniqueid":"1"}'],
  ['unverified, altered', 'rejected', null, response(''), 'uniqueid=BYPASS***'],
  ['unverified, altered', 'rejected', null, response(''), '{"uniqueid":"a","auth_password":***}'],
  ['unverified, altered', 'rejected', 'switch', response(''), '{"uniqueid":"a\uFFFD"}'],
  ['unverified, altered', 'poison', null, response(''), '[1]'],
];

it('dead letters from before are verified where that can be told, and sent again where they are as they came', async () => {
  for (const [index, [, reason, sender, responses, body]] of LETTERS.entries())
    await db.prisma.$executeRaw`insert into dead_letters (id, reason, submitted_by, responses, body, digest)
      values (${1000 + index}, ${reason}, ${sender}, ${responses}::jsonb, ${body}, sha256(${`${index}`}::bytea))`;
  // One that came by a wrong routing key and was refused when an operator sent it again.
  await db.execute(`insert into dead_letters (id, reason, submitted_by, responses, body, digest, replays)
    values (2000, 'conflict', 'switch', '${response('uniqueid')}', '{}', '', 1)`);
  await db.execute(`insert into dead_letter_events (dead_letter, event, by, attempt, detail)
    values (2000, 'replayed', 'boss', 1, '{"reason": "unroutable", "responses": ${response('')}}')`);

  await fill();

  const rows = await db.rows(`select case when verified then 'verified' else 'unverified' end
    || case when altered = '{""}' then ', altered' else '' end as name from dead_letters order by id`);
  expect(rows.map(({ name }) => name)).toEqual([...LETTERS.map(([name]) => name), 'unverified']);
});

it('their costs are read where they can be, those that are closed say since when, and a second run changes nothing', async () => {
  await db.execute('delete from dead_letters');
  await db.execute(`alter table dead_letters disable trigger keep_is_open;
    insert into dead_letters (id, reason, status, body, digest, last_dead_at) values
    (1, 'failed', 'dead', '{"cost":"1.5","currency":"EUR"}', '1', '2026-01-01'), (2, 'failed', 'dead', '{"cost":""}', '2', '2026-01-01'),
    (3, 'failed', 'dead', '{"cost":"1e3"}', '3', '2026-01-01'), (4, 'failed', 'resolved', '{"cost":"x"}', '4', '2026-01-02'),
    (5, 'failed', 'discarded', 'cost=1', '5', '2026-01-03');
    alter table dead_letters enable always trigger keep_is_open`);
  await fill();
  const found = `select id::int, cost::text, currency, closed_at::date::text as closed, is_open from dead_letters order by id`;
  const expected = [
    { id: 1, cost: '1.500000', currency: 'EUR', closed: null, is_open: true },
    { id: 2, cost: '0.000000', currency: null, closed: null, is_open: true },
    { id: 3, cost: null, currency: null, closed: null, is_open: true },
    { id: 4, cost: null, currency: null, closed: '2026-01-02', is_open: false },
    { id: 5, cost: null, currency: null, closed: '2026-01-03', is_open: false },
  ];
  expect(await db.rows(found)).toEqual(expected);
  const versions = () => db.rows('select xmin::text from dead_letters order by id');
  const before = await versions();
  await fill();
  expect(await versions()).toEqual(before);
});

it('rows of databases whose migrations filled them in their first form are left as they are', async () => {
  await db.execute('delete from dead_letters');
  await db.execute(
    `insert into dead_letters (reason, submitted_by, body, digest) values ('conflict', 'switch', 'cost=1', '')`,
  );
  // Their checksums.
  const names = {
    '20261125130628_operators_desk': '62663560f8ce94d7c79e7a130b9b3364f7a7dec9deeb90f896b07f07eab3076f',
    '20261128000200_verified_letters': '61c014033a764df02ddabffd82d75d4adeadd61f74d1fa1ac0da44368152031c',
  };
  for (const [name, checksum] of Object.entries(names))
    await db.execute(
      `update _prisma_migrations set checksum = '${checksum}' where migration_name = '${name}'`,
    );
  await fill();
  expect(await db.rows('select verified, altered::text from dead_letters')).toEqual([
    { verified: false, altered: '{}' },
  ]);
});
