import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordActivity } from '../../src/store/activity.ts';
import { discardDeadLetters } from '../../src/store/dead-letters/close.ts';
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
  db = await billingDatabase('console-activity');
  await upsertUser(db.sql, {
    username: 'auditor',
    role: 'viewer',
    passwordHash: await cheapHash(PASSWORD),
  });
  await db.execute(
    `insert into dead_letters (reason, uniqueid, body, digest) values ('rejected', 'u-1', '{}', '\\x01')`,
  );
  const [row] = await db.rows(`select id::text from dead_letters`);
  await discardDeadLetters(
    db.sql,
    { ids: [row?.id ?? ''] },
    { by: 'boss', why: 'a test of the <switch>', program: 'console' },
  );
  await recordActivity(db.sql, { who: null, act: 'user added', program: 'command', detail: { user: 'eve' } });
  await recordActivity(db.sql, {
    who: 'night',
    act: 'replay started',
    program: 'command',
    detail: { replay: 7, selected: 40, filter: { reasons: ['rejected', 'failed'], key: 'cots' } },
  });
  consoleProcess = await startProcess(['console'], {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    CONSOLE_PORT: '0',
  });
  origin = `http://127.0.0.1:${await consoleProcess.port()}`;
  const body = new URLSearchParams({ username: 'auditor', password: PASSWORD });
  const answer = await fetch(`${origin}/sign-in`, { method: 'POST', body, redirect: 'manual' });
  cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
});

afterAll(async () => {
  await consoleProcess?.stop();
  await db?.drop();
});

async function read(query: string): Promise<{ status: number; text: string; rows: string[] }> {
  const answer = await fetch(`${origin}/activity${query}`, { headers: { cookie } });
  const text = await answer.text();
  const [, body = ''] = /<tbody>(.*)<\/tbody>/s.exec(text) ?? [];
  return { status: answer.status, text, rows: body.split('<tr>').slice(1) };
}

describe('the page of who did what', () => {
  it('shows the latest first, with links to what it was done to, and why', async () => {
    const { rows } = await read('?since=1h&who=night');
    expect(rows).toHaveLength(1);
    expect(rows[0]).toContain('"to what"><a href="/replays/7">replay 7</a>');
    expect(rows[0]).toContain('filter: key cots, reasons rejected or failed');
    // The first one is the user whom this test has made.
    const all = (await read('')).rows.slice(0, -1);
    const acts = all.map((row) => /data-label="what">([^<]*)/.exec(row)?.[1]);
    expect(acts.slice(-3)).toEqual(['replay started', 'user added', 'discarded']);
    expect(all.at(-1)).toMatch(/href="\/dead-letters\/\d+".*a test of the &lt;switch&gt;.*console/s);
    expect(all.at(-2)).toContain('nobody signed in');
  });

  it('is filtered by user, act and time, and refuses what it does not know', async () => {
    expect((await read('?act=discarded')).rows).toHaveLength(1);
    expect((await read('?who=boss')).rows).toHaveLength(1);
    expect((await read('?until=1h')).text).toContain('Nothing was done that matches.');
    const unknown = await read('?act=dreamt');
    expect(unknown.status).toBe(400);
    expect(unknown.text).toContain('act: expected one of');
    expect((await read('?since=soon')).status).toBe(400);
    expect((await read('?before=x')).status).toBe(400);
  });

  it('has pages, each of which keeps the filter', async () => {
    for (let n = 0; n < 101; n += 1)
      await recordActivity(db.sql, {
        who: 'busy',
        act: 'exported',
        program: 'command',
        detail: { count: n },
      });
    const first = await read('?who=busy');
    expect(first.rows).toHaveLength(100);
    const [, next = ''] = /href="\/activity(\?[^"]*)" rel="next"/.exec(first.text) ?? [];
    const second = await read(next.replaceAll('&amp;', '&'));
    expect(second.rows).toHaveLength(1);
    expect(second.rows[0]).toContain('count: 0');
    expect(second.text).not.toContain('rel="next"');
  });
});
