import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upsertUser } from '../../src/store/users.ts';
import { PASSWORD } from '../support/operators.ts';
import { cheapHash } from '../support/password.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

let db: BillingDatabase;
let consoleProcess: WorkerProcess;
let origin: string;
let cookie: string;

beforeAll(async () => {
  db = await billingDatabase('console-heard');
  const passwordHash = await cheapHash(PASSWORD);
  await upsertUser(db.sql, { username: 'auditor', role: 'viewer', passwordHash });
  await upsertUser(db.sql, { username: 'switch', role: 'system', passwordHash });
  consoleProcess = await startProcess(['console'], {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    CONSOLE_PORT: '0',
  });
  origin = `http://127.0.0.1:${await consoleProcess.port()}`;
  const form = new URLSearchParams({ username: 'auditor', password: PASSWORD });
  const signedIn = await fetch(`${origin}/sign-in`, { method: 'POST', body: form, redirect: 'manual' });
  cookie = (signedIn.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
});

afterAll(async () => {
  await consoleProcess?.stop();
  await db?.drop();
});

async function page(): Promise<string> {
  const response = await fetch(`${origin}/feeds`, { headers: { cookie }, redirect: 'manual' });
  expect(response.status).toBe(200);
  return await response.text();
}

describe('the page of feeds and switches', () => {
  /** The cells of one row as text. */
  const row = (text: string, name: string) =>
    (text.split('<tr ').find((each) => each.includes(`>${name}<`)) ?? '')
      .replace(/^[^>]*>/, '')
      .replaceAll(/<[^>]*>/g, '|')
      .split(/[|\s]*\|[|\s]*/)
      .filter((cell) => cell !== '');

  it('shows when each was heard of, which are late, and which numbers are missing', async () => {
    expect(await page()).toContain('None was heard of');
    await db.execute(`insert into heard
      (kind, name, since, named_at, last_at, records, every_seconds, sequence, sequence_stopped_at) values
      ('feed', 'fs-1', now() - interval '1 day', now(), now() - interval '20 minutes', 1204, 900, 'n', null),
      ('feed', 'fs-2', now() - interval '1 day', now(), now() - interval '20 minutes', 7, 3600, null, null),
      ('feed', 'fs-3', now() - interval '1 day', now(), null, 0, 900, 'Event-Sequence', now()),
      ('feed', 'fs-4', now() - interval '9 days', now() - interval '2 days', now() - interval '3 days', 9, 900, null, null),
      ('user', 'switch', now(), null, now() - interval '40 minutes', 3, null, null, null)`);
    await db.execute(`insert into sequence_runs (source, epoch, first, last, since)
      select 'fs-1', 1, n * 10, n * 10 + 8, now() - interval '1 hour' from generate_series(1, 12) n`);
    const text = await page();
    expect(text).toContain('<b class="dead">2</b> are late');
    const date = expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    const missing = [...Array(10).keys()].map((index) => index * 10 + 29).join(', ');
    expect(row(text, 'fs-1')).toEqual([
      'feed',
      'fs-1',
      date,
      '20m',
      'late',
      '15m',
      '1,204',
      '11',
      `missing: 1 more, ${missing}`,
    ]);
    expect(row(text, 'fs-2')).toEqual(['feed', 'fs-2', date, '20m', '1h', '7']);
    expect(row(text, 'fs-3')).toEqual([
      'feed',
      'fs-3',
      'never',
      'late',
      '15m',
      '0',
      'Event-Sequence does not count the records',
    ]);
    expect(row(text, 'fs-4')).toEqual([
      'feed',
      'fs-4',
      date,
      '3d',
      '15m',
      '9',
      'in no worker’s sources file',
    ]);
    expect(row(text, 'switch')).toEqual(['user', 'switch', date, '40m', '3']);
  });

  it('shows no markup of a name', async () => {
    await db.execute(
      `insert into heard (kind, name, named_at) values ('feed', '<script>alert(1)</script>', now())`,
    );
    expect(await page()).not.toContain('<script>alert');
  });
});
