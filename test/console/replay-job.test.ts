import { afterAll, beforeAll, expect, it } from 'vitest';
import { upsertUser } from '../../src/store/users.ts';
import { type OperatorSite, openOperatorSite, PASSWORD } from '../support/operators.ts';
import { cheapHash } from '../support/password.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

let site: OperatorSite;
let consoleProcess: WorkerProcess;
let origin: string;

beforeAll(async () => {
  site = await openOperatorSite('console-replay-job');
  await upsertUser(site.db.sql, {
    username: 'leaver',
    role: 'operator',
    passwordHash: await cheapHash(PASSWORD),
  });
  const { CDR_USERNAME, CDR_PASSWORD, ...services } = site.environment;
  consoleProcess = await startProcess(['console'], { ...services, CONSOLE_PORT: '0' });
  origin = `http://127.0.0.1:${await consoleProcess.port()}`;
});

afterAll(async () => {
  await consoleProcess?.stop();
  await site?.close();
});

async function signedIn(username: string): Promise<{ cookie: string; csrf: string }> {
  const body = new URLSearchParams({ username, password: PASSWORD });
  const answer = await fetch(`${origin}/sign-in`, { method: 'POST', body, redirect: 'manual' });
  const cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  const page = await (await fetch(`${origin}/`, { headers: { cookie } })).text();
  return { cookie, csrf: /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? '' };
}

it('a replay stops when its operator is disabled, even for a moment', async () => {
  for (let n = 0; n < 40; n += 1) await site.submit({ uniqueid: `job-${n}`, scustomer: 4711 });
  const leaver = await signedIn('leaver');
  const started = await fetch(`${origin}/replay`, {
    method: 'POST',
    headers: { cookie: leaver.cookie },
    body: new URLSearchParams({ csrf: leaver.csrf, status: 'dead', rate: '1' }),
    redirect: 'manual',
  });
  const page = started.headers.get('location') ?? '';
  expect(page).toMatch(/^\/replays\/./);
  await site.db.execute(`update users set active = false where username = 'leaver'`);
  await site.db.execute(`update users set active = true where username = 'leaver'`);
  const { cookie } = await signedIn('boss');
  const seen = async () => await (await fetch(`${origin}${page}`, { headers: { cookie } })).text();
  await expect
    .poll(seen, { timeout: 30_000, interval: 200 })
    .toContain('Stopped early: leaver&#39;s password, role or status has changed');
  const [row] = await site.db.rows(`select count(*)::text as n from dead_letters where replays = 0`);
  expect(Number(row?.n)).toBeGreaterThan(10);
});
