import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

const FILE = new URL(
  '../../prisma/migrations/20261128000200_verified_letters/migration.sql',
  import.meta.url,
);

let db: BillingDatabase;

beforeAll(async () => {
  db = await billingDatabase('letters-migration');
});

afterAll(async () => {
  await db?.drop();
});

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

  const text = readFileSync(FILE, 'utf8');
  const client = new Client({ connectionString: db.databaseUrl });
  await client.connect();
  await client.query(text.slice(text.indexOf('-- Letters that are there already.')));
  await client.end();

  const rows = await db.rows(`select case when verified then 'verified' else 'unverified' end
    || case when altered = '{""}' then ', altered' else '' end as name from dead_letters order by id`);
  expect(rows.map(({ name }) => name)).toEqual([...LETTERS.map(([name]) => name), 'unverified']);
});
