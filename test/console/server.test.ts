import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upsertUser } from '../../src/store/users.ts';
import { ask, askRaw } from '../support/asking.ts';
import { PASSWORD } from '../support/operators.ts';
import { cheapHash } from '../support/password.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

let db: BillingDatabase;
let consoleProcess: WorkerProcess;
let origin: string;

beforeAll(async () => {
  db = await billingDatabase('console-server');
  const passwordHash = await cheapHash(PASSWORD);
  for (const [username, role] of [
    ['boss', 'operator'],
    ['auditor', 'viewer'],
    ['leaver', 'operator'],
    ['switch', 'system'],
  ] as const)
    await upsertUser(db.sql, { username, role, passwordHash });
  await db.execute(
    `insert into dead_letters (reason, uniqueid, body, digest) values ('rejected', 'u-1', '{}', '\\x01')`,
  );
  consoleProcess = await startProcess(['console'], {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    CONSOLE_PORT: '0',
  });
  origin = `http://127.0.0.1:${await consoleProcess.port()}`;
});

afterAll(async () => {
  await consoleProcess?.stop();
  await db?.drop();
});

type Headers = Record<string, string>;

const get = (path: string, headers: Headers = {}) => ask(`${origin}${path}`, { headers, redirect: 'manual' });
const post = (path: string, form: Headers, headers: Headers = {}) =>
  ask(`${origin}${path}`, { method: 'POST', body: new URLSearchParams(form), headers, redirect: 'manual' });

/** What the server says to these bytes until it closes. */
const raw = (text: string) => askRaw(Number(new URL(origin).port), text);

async function signedIn(username: string): Promise<{ cookie: string; csrf: string }> {
  const response = await post('/sign-in', { username, password: PASSWORD });
  expect(response.status).toBe(303);
  const cookie = (response.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  const page = await (await get('/', { cookie })).text();
  return { cookie, csrf: /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? '' };
}

describe('a session', () => {
  it('is stored as a hash, and its cookie is hidden from scripts and other sites', async () => {
    const response = await post('/sign-in', { username: 'boss', password: PASSWORD });
    const cookie = response.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/^cdr_desk=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/);
    const id = cookie.slice('cdr_desk='.length).split(';')[0] ?? '';
    const sessions = await db.rows(
      `select encode(id_hash, 'hex') as hash, s::text as row from console_sessions s`,
    );
    expect(sessions.map(({ hash }) => hash)).toContain(createHash('sha256').update(id).digest('hex'));
    expect(JSON.stringify(sessions)).not.toContain(id);
  });

  it('is not recognised if there are two cookies of its name', async () => {
    const { cookie } = await signedIn('boss');
    expect((await get('/', { cookie })).status).toBe(200);
    expect((await get('/', { cookie: `other=1; ${cookie}; x=${'A'.repeat(43)}` })).status).toBe(200);
    expect((await get('/', { cookie: `cdr_desk=${'A'.repeat(43)}; ${cookie}` })).status).toBe(303);
    expect((await get('/', { cookie: `${cookie}; cdr_desk=${'A'.repeat(43)}` })).status).toBe(303);
    expect((await get('/', { cookie: `__Host-${cookie}` })).status).toBe(303);
  });

  it('ends with sign-out, with the next sign-in, with the user, and with time', async () => {
    const boss = await signedIn('boss');
    await post('/sign-out', { csrf: boss.csrf }, boss);
    expect((await get('/', boss)).headers.get('location')).toBe('/sign-in?ended=1');

    const before = await signedIn('boss');
    await post('/sign-in', { username: 'boss', password: PASSWORD }, before);
    expect((await get('/', before)).headers.get('location')).toBe('/sign-in?ended=1');

    const leaver = await signedIn('leaver');
    await db.execute(`update users set active = false where username = 'leaver'`);
    expect((await get('/dead-letters', leaver)).status).toBe(303);

    const idle = await signedIn('auditor');
    await db.execute(`update console_sessions set last_seen_at = now() - interval '61 minutes'`);
    expect((await get('/dead-letters', idle)).status).toBe(303);
  });

  it('is required for every page, and a made-up cookie does not count', async () => {
    for (const path of [
      ...['/', '/dead-letters', '/dead-letters/list', '/dead-letters.csv', '/dead-letters/1'],
      ...['/discarded', '/replays', '/replays/x', '/activity'],
    ]) {
      const to = path === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(path)}`;
      expect((await get(path)).headers.get('location')).toBe(to);
      expect((await get(path, { cookie: `cdr_desk=${'A'.repeat(43)}` })).status).toBe(303);
    }
    expect((await get('/replays/x.json')).status).toBe(401);
  });
});

describe('signing in', () => {
  it('is for operators and viewers', async () => {
    expect((await post('/sign-in', { username: 'switch', password: PASSWORD })).status).toBe(401);
    expect((await post('/sign-in', { username: 'nobody', password: PASSWORD })).status).toBe(401);
  });

  it('is blocked after five failures, even with the right password', async () => {
    for (let attempt = 0; attempt < 5; attempt += 1)
      expect((await post('/sign-in', { username: 'auditor', password: 'wrong-one' })).status).toBe(401);
    expect((await post('/sign-in', { username: 'auditor', password: PASSWORD })).status).toBe(429);
    expect((await post('/sign-in', { username: 'boss', password: PASSWORD })).status).toBe(303);
  });
});

describe('a form', () => {
  it('is refused from another site, and without the token of its session', async () => {
    const boss = await signedIn('boss');
    const { cookie, csrf } = boss;
    const shown = await (await post('/discard', { id: '1', csrf }, { cookie, origin })).text();
    const expected = /name="expected" value="([^"]+)"/.exec(shown)?.[1] ?? '';
    const form = { id: '1', why: 'x', csrf, expected };
    const foreign: Headers[] = [
      { origin: 'https://evil.example' },
      { 'sec-fetch-site': 'cross-site' },
      { origin: 'null' },
    ];
    for (const headers of foreign)
      expect((await post('/discard/confirm', form, { cookie, ...headers })).status).toBe(403);
    expect((await post('/discard/confirm', { ...form, csrf: '' }, { cookie })).status).toBe(403);
    expect(
      (await post('/discard/confirm', { ...form, csrf: (await signedIn('boss')).csrf }, { cookie })).status,
    ).toBe(403);
    expect(await db.rows('select status from dead_letters')).toEqual([{ status: 'dead' }]);
    expect((await post('/discard/confirm', form, { cookie, origin })).status).toBe(303);
    expect(await db.rows('select status from dead_letters')).toEqual([{ status: 'discarded' }]);
  });

  it('is refused if it is too large or of another type', async () => {
    expect((await post('/sign-in', { username: 'x'.repeat(100_000), password: '' })).status).toBe(413);
    for (const type of ['text/plain', 'multipart/form-data; boundary=x', 'application/json'])
      expect((await post('/sign-in', { username: 'boss' }, { 'content-type': type })).status).toBe(415);
  });
});

it.each([
  'search',
  'closed_at',
  'uniqueid',
  'machine',
  'key',
  'customer',
  'reason',
  'since',
  'after',
  'status',
])('a filter value that cannot be stored is refused, or ignored in a cursor: %s', async (name) => {
  const { cookie } = await signedIn('boss');
  for (const value of ['%00', '%ff%00', '%ed%a0%80%00']) {
    const response = await get(`/dead-letters?${name}=${value}`, { cookie });
    expect(response.status).toBe(name === 'after' ? 200 : 400);
    if (name !== 'after') expect(await response.text()).toContain(`${name}: expected`);
  }
});

it.each([
  ['/dead-letters/1/correct', { act: 'save', 'set.note': 'a\0', why: 'x' }],
  ['/dead-letters/1/correct', { act: 'save', 'set.note': 'a', why: 'x\0' }],
  ['/dead-letters/1/correct', { act: 'save', 'set.validation': '1', why: 'x' }],
  ['/dead-letters/1/correct', { act: 'save', body: '\0', why: 'x' }],
  ['/discard/confirm', { id: '1', why: '\0x' }],
  ['/reopen', { search: '\0' }],
  ['/discard', { scope: 'page', page_ids: '1,\0' }],
  ['/discard', { scope: 'ticked' }],
  ['/discard', { machine: '\0', why: 'x' }],
  ['/dry-run', { id: '1', set_name: 'note', set_value: '\0' }],
  ['/replay', { id: '1', set_name: 'note', set_value: '\0' }],
  ['/replay', { id: '1', limit: '\0' }],
])('a form value that cannot be stored is refused: %s %j', async (path, form) => {
  const { cookie, csrf } = await signedIn('boss');
  const response = await post(path, { csrf, ...form }, { cookie, origin });
  expect(response.status).toBe(400);
});

it('a username that cannot be stored is unknown', async () => {
  expect((await post('/sign-in', { username: 'bo\0ss', password: PASSWORD })).status).toBe(401);
});

it('a path of an earlier version is redirected, with its query, method and form', async () => {
  const { cookie, csrf } = await signedIn('boss');
  for (const [path, to] of [
    ['/letters', '/dead-letters'],
    ['/letters?status=dead&machine=m%201', '/dead-letters?status=dead&machine=m%201'],
    ['/letters/1', '/dead-letters/1'],
  ] as const) {
    const response = await get(path, { cookie });
    expect([response.status, response.headers.get('location')]).toEqual([308, to]);
  }
  const form = { csrf, id: '1', name: 'note', value: 'a' };
  const response = await post('/rehearse', form, { cookie, origin });
  expect([response.status, response.headers.get('location')]).toEqual([308, '/dry-run']);
  for (const path of ['/letters/', '/letters//evil.example', '/letters/x', '/lettersx'])
    expect((await get(path, { cookie })).status).toBe(404);
});

describe('what a scanner sends', () => {
  it.each([
    ['GET //', 303],
    ['GET //evil.example/dead-letters', 303],
    ['GET http://evil.example/', 400],
    ['GET /%zz%00%ff', 303],
    ['GET /dead-letters/1%0d%0aSet-Cookie:x=1', 303],
    ['GET /../../etc/passwd', 303],
    ['OPTIONS *', 204],
    ['OPTIONS /', 204],
    ['TRACE /', 405],
    ['PUT /dead-letters', 405],
    ['HEAD /sign-in', 200],
    ['HEAD /dead-letters', 303],
  ])('%s is answered with %i', async (line, status) => {
    const [head] = (await raw(`${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).split('\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(consoleProcess.output()).not.toContain('Invalid URL');
  });

  it.each([
    ['nothing of a protocol', '\x16\x03\x01\x02\x00\x01\r\n\r\n'],
    ['headers without end', `GET / HTTP/1.1\r\nHost: x\r\n${'X: y\r\n'.repeat(20_000)}\r\n`],
    ['two lengths', 'POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    ['HTTP/2 without having asked', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['what a proxy says first to others', 'PROXY TCP4 1.1.1.1 2.2.2.2 3 4\r\nGET / HTTP/1.1\r\n\r\n'],
    ['an expectation of its own', 'GET / HTTP/1.1\r\nHost: x\r\nExpect: gold\r\nConnection: close\r\n\r\n'],
  ])('%s is a bad request', async (_name, text) => {
    // A reset can overtake the answer.
    expect(await raw(text)).toMatch(/^$|^HTTP\/1.1 (4(00|17|31)|505) /);
  });

  it('a request that is not finished in time ends, and so does one that comes before the last was answered', async () => {
    const head =
      'POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Le';
    const begun = performance.now();
    const late = await Promise.all([raw(head), raw(`${head}ngth: 100\r\n\r\nusername=`)]);
    expect(performance.now() - begun).toBeLessThan(30_000);
    expect(late.map((answer) => answer.slice(0, 13))).toEqual(['HTTP/1.1 408 ', 'HTTP/1.1 408 ']);
    expect(consoleProcess.output()).not.toContain('aborted');
    expect(await raw('GET /dead-letters HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3000))).toBe('');
    expect((await get('/sign-in')).status).toBe(200);
  });
});

it('allows no inline or foreign code and no frames, and nothing is cached', async () => {
  const { cookie } = await signedIn('boss');
  for (const path of [
    '/sign-in',
    '/',
    '/dead-letters',
    '/dead-letters/list',
    '/dead-letters/1',
    '/discarded?closed_at=2026-11-28T07:00:00.000000Z',
    '/replays',
    '/nowhere',
    '/dead-letters?customer=x',
  ]) {
    const response = await get(path, { cookie });
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|http|\*/);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const page = await response.text();
    expect(page).not.toMatch(
      /<script(?! src="\/assets\/console\.js")|\son\w+=|\sstyle=|(src|href)="(https?:)?\/\//,
    );
  }
});

it('hides failures from users who are not signed in, and logs them', async () => {
  const cut = await startProcess(['console'], {
    DATABASE_URL: 'postgresql://cdr:canary-1@127.0.0.1:1/somewhere',
    AMQP_URL: db.amqpUrl,
    CONSOLE_PORT: '0',
  });
  const address = `http://127.0.0.1:${await cut.port()}/sign-in`;
  const answer = await fetch(address, {
    method: 'POST',
    body: new URLSearchParams({ username: 'boss', password: 'x' }),
  });
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toMatch(/canary|somewhere|127\.0\.0\.1/);
  await cut.logged('"path":"/sign-in"');
  expect(cut.output()).not.toContain('canary');
  expect(await cut.stop()).toBe(0);
});

it('ends with exit code 0 on SIGTERM', async () => {
  const other = await startProcess(['console'], {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    CONSOLE_PORT: '0',
  });
  await other.port();
  expect(await other.stop()).toBe(0);
});
