import { afterAll, beforeAll, expect, it } from 'vitest';
import { upsertUser } from '../../src/store/users.ts';
import { runInProcess } from '../support/in-process.ts';
import { PASSWORD } from '../support/operators.ts';
import { cheapHash } from '../support/password.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

let db: BillingDatabase;
beforeAll(async () => {
  db = await billingDatabase('invoice-command');
  const passwordHash = await cheapHash(PASSWORD);
  await upsertUser(db.sql, { username: 'boss', role: 'operator', passwordHash });
  await upsertUser(db.sql, { username: 'auditor', role: 'viewer', passwordHash });
  await db.persist([
    { uniqueid: 'a', cost: '1', start: 1, end: 1 },
    { uniqueid: 'b', cost: '2', start: 1, end: 1 },
    { uniqueid: 'c', cost: '3', scustomer: 3 },
  ]);
});
afterAll(() => db.drop());

const invoice = (args: string[], who = 'boss') =>
  runInProcess(['invoice', ...args], {
    DATABASE_URL: db.databaseUrl,
    CDR_USERNAME: who,
    CDR_PASSWORD: PASSWORD,
  });
const TO_10 = ['attach', '--customer', '1', '--invoice', '10'];
const attached = () => db.rows('select count(*)::text from corrections');

it('invoice late sums up what no invoice took, and lists it', async () => {
  const sums = await invoice(['late']);
  expect(sums).toMatchObject({ code: 0, stderr: '' });
  expect(sums.stdout).toMatch(/1 one +│ 2 +│ 0 +│ 3 +│ 0 +│ USD +│ 1970-01-01 00:00:01/);
  const listed = await invoice(['late', '--customer', '1', '--older-than', '1d', '--calls', '--limit', '1']);
  expect(listed.stdout).toMatch(/1970-01-01 00:00:01 │ a +│ call +│ 1 +│ 1/);
  expect(listed.stdout).toContain('Showing the oldest 1.');
});

it.each([
  [['attach', '--customer', '1'], '--invoice'],
  [['attach', '--invoice', '10'], '--customer'],
  [['late', '--currency', 'usd'], '--currency'],
  [[...TO_10], '--why'],
  [[...TO_10, '--why', 'late'], '--yes'],
])('invoice %j is wrong usage', async (args, told) => {
  expect(await invoice(args)).toMatchObject({ code: 2, stderr: expect.stringContaining(told) });
  expect(await attached()).toEqual([{ count: '0' }]);
});

it('invoice attach needs an operator, and an open invoice of the customer', async () => {
  const why = ['--why', 'late', '--yes'];
  expect(await invoice([...TO_10, ...why], 'auditor')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('needs an operator'),
  });
  expect(await invoice(['attach', '--customer', '1', '--invoice', '11', ...why])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('invoice 11 is closed'),
  });
  expect(await attached()).toEqual([{ count: '0' }]);
});

it('invoice attach shows what it would move, then does it; what has no invoice makes it exit 1', async () => {
  const dry = await invoice([...TO_10, '--dry-run']);
  expect(dry).toMatchObject({ code: 0, stderr: '' });
  expect(dry.stdout).toMatch(/2 late calls would be attached[\s\S]*│ 1 +│ 10 +│ 2 +│ 0 +│ 2.76 │ 0 +│ EUR/);
  expect(await attached()).toEqual([{ count: '0' }]);
  expect(await invoice([...TO_10, '--why', 'late', '--yes'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^2 attached$/m),
  });
  const rest = await invoice(['attach', '--all', '--why', 'late', '--yes', '--json']);
  expect(rest.code).toBe(1);
  expect(JSON.parse(rest.stdout)).toEqual({
    ...{ attached: 0, end: 'done', invoices: [] },
    left_out: [{ customer: 3, why: 'no open invoice', currency: 'USD', count: 1, cost: '3', tax: '0' }],
  });
});
