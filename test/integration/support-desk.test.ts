import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upsertUser } from '../../src/store/users.ts';
import { correct } from '../support/correcting.ts';
import { runInProcess } from '../support/in-process.ts';
import { PASSWORD } from '../support/operators.ts';
import { cheapHash } from '../support/password.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

const page = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const [, section = ''] = /^## Ten questions of a support desk\n(.*?)^## /ms.exec(page) ?? [];

/** The commands by the number of their question. */
const commands = new Map(
  [...section.matchAll(/^# (\d+)\..*\ncdr-ingest (.+)$/gm)].map(
    ([, number, line = '']) => [Number(number), wordsOf(line)] as const,
  ),
);

function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}

let db: BillingDatabase;
let folder: string;

/** The calls that the page asks about, and some that it does not. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cdr-desk-'));
  db = await billingDatabase('support-desk');
  await upsertUser(db.sql, {
    username: 'boss',
    role: 'operator',
    passwordHash: await cheapHash(PASSWORD),
  });
  await db.execute(`insert into invoices (id, customer, currency, period_start, period_end, status)
    values (31, 1, 'USD', '2026-03-01', '2026-04-01', 'open')`);
  const march = (day: number) => Date.UTC(2026, 2, day, 9, 30) / 1000;
  const outcomes = await db.persist([
    { uniqueid: '1772357400.1', start: march(1), cost: '10', taxes: 'VAT', dnumber: '+442079460000' },
    {
      uniqueid: '1772357400.2',
      start: march(1),
      callid: '1772357400.1',
      cost: '1',
      cnumber: '00442079460000',
    },
    { uniqueid: '1772443800.3', start: march(2), cost: '250' },
    { uniqueid: '1772530200.4', start: march(3), cost: '4' },
    { uniqueid: 'late', start: march(2), scustomer: 2, cost: '7' },
    { uniqueid: 'in-april', start: march(32), cost: '3' },
  ]);
  expect(outcomes.map(({ kind }) => kind)).toEqual(outcomes.map(() => 'accepted'));
  await correct(db, { id: 'cheaper', uniqueid: '1772357400.2', changes: { cost: '0.5' } });
  await db.execute(`update corrections set why = 'wrong tariff'`);
  await db.execute(`insert into dead_letters (reason, status, uniqueid, body, digest, closed_at, responses) values
    ('rejected', 'resolved', '1772443800.3', '{}', '\\x01', now(), '[{"code": "400", "key": "peer", "message": ""}]')`);
  await db.execute(`update cdrs set replayed_by = 'boss' where uniqueid = '1772443800.3'`);
});

afterAll(async () => {
  await db?.drop();
  await rm(folder, { recursive: true });
});

/** What the command of a question prints; it must do what it is there for. */
async function answer(number: number): Promise<string> {
  const words = commands.get(number) ?? [];
  const args = words.map((word) => (word === 'march.csv' ? join(folder, word) : word));
  const { stdout, stderr, code } = await runInProcess(args, {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    CDR_USERNAME: 'boss',
    CDR_PASSWORD: PASSWORD,
  });
  expect(code, `${args.join(' ')}\n${stdout}${stderr}`).toBe(0);
  return stdout;
}

/** The uniqueids in a list, in its order. */
const uniqueidsIn = (list: string) =>
  [...list.matchAll(/^│ (\S+) +│/gm)].map(([, uniqueid]) => uniqueid).slice(1);

describe('the questions of a support desk in docs/operations.md', () => {
  it('are ten, each answered by one command', () => {
    expect([...commands.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('are told to whom a call was billed, how much, on which terms and invoice', async () => {
    const page = await answer(1);
    expect(page).toContain('charged 12.00 USD to customer 1 one');
    expect(page).toContain('tax 1 VAT: 20 % = 2.00 USD');
    expect(page).toContain('on invoice 31 (open, 2026-03-01 to 2026-04-01): cost 10.00 USD, tax 2.00 USD');
  });

  it('are told the calls of a customer in a month, of a number and of a callid', async () => {
    expect(uniqueidsIn(await answer(2))).toEqual([
      '1772530200.4',
      '1772443800.3',
      '1772357400.2',
      '1772357400.1',
    ]);
    expect(uniqueidsIn(await answer(3))).toEqual(['1772357400.2', '1772357400.1']);
    expect(uniqueidsIn(await answer(4))).toEqual(['1772357400.2', '1772357400.1']);
  });

  it('are told what no invoice took', async () => {
    expect(await answer(5)).toMatch(/2 two +│ 1 +│ 0 +│ 7 /);
  });

  it('are told what was corrected by whom and why, and where a call came from', async () => {
    const corrected = await answer(6);
    expect(uniqueidsIn(corrected)).toEqual(['1772357400.2']);
    expect(corrected).toContain('by shop');
    expect(corrected).toContain('wrong tariff');
    const page = await answer(7);
    expect(page).toContain('sent by switch, replayed by boss');
    expect(page).toMatch(/rejected +│ resolved +│ 400 peer/);
  });

  it('are told which calls were dear, and what a void would move', async () => {
    expect(uniqueidsIn(await answer(8))).toEqual(['1772443800.3']);
    const preview = await answer(9);
    expect(preview).toMatch(/1 one +│ \+4.00 USD/);
    expect(preview).toMatch(/31 +│ -4.00 USD/);
    expect(await db.rows(`select 1 from corrections where uniqueid = '1772530200.4'`)).toEqual([]);
  });

  it('are given a month of a customer in a file', async () => {
    await answer(10);
    const lines = (await readFile(join(folder, 'march.csv'), 'utf8')).trimEnd().split('\r\n');
    expect(lines).toHaveLength(5);
  });
});
