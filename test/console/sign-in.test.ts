import { request } from 'node:http';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashPassword } from '../../src/auth/password.ts';
import { readActivity } from '../../src/store/activity.ts';
import { openSession, readCandidate, sessionUser } from '../../src/store/sessions.ts';
import { clearAttempts, countAttempt, countSuccess } from '../../src/store/sign-in.ts';
import { upsertUser } from '../../src/store/users.ts';
import { until } from '../support/broker.ts';
import { PASSWORD } from '../support/operators.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

let db: BillingDatabase;
/** Two replicas behind a proxy, which is this test at 127.0.0.1; 127.0.0.2 is a stranger. */
let sites: WorkerProcess[];
let ports: number[];
let passwordHash: string;

beforeAll(async () => {
  db = await billingDatabase('console-sign-in');
  passwordHash = await hashPassword(PASSWORD);
  const environment = {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    CONSOLE_PORT: '0',
    CONSOLE_TRUSTED_PROXIES: '127.0.0.1',
  };
  sites = await Promise.all([1, 2].map(() => startProcess(['console'], environment)));
  ports = await Promise.all(sites.map((site) => site.port()));
});

afterAll(async () => {
  await Promise.all((sites ?? []).map((site) => site.stop()));
  await db?.drop();
});

interface Sent {
  method?: string;
  form?: Record<string, string>;
  headers?: Record<string, string>;
  replica?: number;
  localAddress?: string;
}

function ask(
  path: string,
  { method, form, headers = {}, replica = 0, localAddress = '127.0.0.1' }: Sent = {},
) {
  return new Promise<{ status: number; cookie: string; location: string; text: string }>(
    (resolve, reject) => {
      const body = form === undefined ? '' : new URLSearchParams(form).toString();
      const type = form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
      const sent = request(
        {
          host: '127.0.0.1',
          port: ports[replica],
          path,
          method: method ?? (form === undefined ? 'GET' : 'POST'),
          headers: { ...type, ...headers },
          localAddress,
        },
        (answer) => {
          let text = '';
          answer
            .setEncoding('utf8')
            .on('data', (chunk: string) => {
              text += chunk;
            })
            .on('end', () =>
              resolve({
                status: answer.statusCode ?? 0,
                cookie: (answer.headers['set-cookie']?.[0] ?? '').split(';')[0] ?? '',
                location: answer.headers.location ?? '',
                text,
              }),
            );
        },
      );
      sent.on('error', reject).end(body);
    },
  );
}

const signIn = (username: string, password: string, address: string, more: Sent = {}) =>
  ask('/sign-in', {
    form: { username, password },
    ...more,
    headers: { 'x-forwarded-for': address, ...more.headers },
  });

let users = 0;

/** A user of this test's own. */
async function newUser(role: 'operator' | 'viewer' = 'operator'): Promise<string> {
  users += 1;
  await upsertUser(db.sql, { username: `user-${users}`, role, passwordHash });
  return `user-${users}`;
}

let addresses = 0;

/** An address that nobody else in this test has. */
function newAddress(): string {
  addresses += 1;
  return `203.0.${addresses >> 8}.${addresses & 255}`;
}

/** Whether a session is live, as a page says. */
const isLive = async (cookie: string) => (await ask('/dead-letters', { headers: { cookie } })).status === 200;

async function cli(args: readonly string[], input = ''): Promise<void> {
  const process = await startProcess(args, { DATABASE_URL: db.databaseUrl });
  process.child.stdin?.end(input);
  expect(await process.ended).toBe(0);
}

describe('the activity', () => {
  const activityOf = (username: string) => readActivity(db.sql, { who: username, limit: 10 });

  it('has who signed in and who was refused, the latter once a minute and address with how often', async () => {
    const [username, address, other] = [await newUser(), newAddress(), newAddress()];
    for (const from of [address, address, other])
      expect((await signIn(username, 'wrong', from)).status).toBe(401);
    await until(async () => (await activityOf(username)).length === 2);
    expect((await signIn(username, PASSWORD, address)).status).toBe(303);
    expect(await activityOf(username)).toMatchObject([
      { act: 'signed in', program: 'console', detail: { address } },
      { act: 'sign-in refused', program: 'console', detail: { address: other, count: 1 } },
      { act: 'sign-in refused', program: 'console', detail: { address, count: 2 } },
    ]);
  });

  it('has no names that nobody has: one may be a password in the wrong field', async () => {
    const before = await readActivity(db.sql, { limit: 1 });
    const username = await newUser();
    expect((await signIn('my-secret-canary', 'wrong', newAddress())).status).toBe(401);
    expect((await signIn(username, 'wrong', newAddress())).status).toBe(401);
    await until(async () => (await activityOf(username)).length === 1);
    const since = await readActivity(db.sql, { limit: 100 });
    expect(
      since
        .slice(
          0,
          since.findIndex(({ id }) => id === before[0]?.id),
        )
        .map(({ who }) => who),
    ).toEqual([username, null]);
  });
});

describe('a session ends for good', () => {
  it.each<[string, (username: string) => Promise<unknown>]>([
    ['a new password', (name) => cli(['user', 'add', name, '--role', 'operator'], 'another-canary\n')],
    [
      'the same password, given again',
      (name) => cli(['user', 'add', name, '--role', 'operator'], `${PASSWORD}\n`),
    ],
    [
      '`user disable`, and `user add` after it',
      async (name) => {
        await cli(['user', 'disable', name]);
        await cli(['user', 'add', name, '--role', 'operator'], `${PASSWORD}\n`);
      },
    ],
    [
      '`user disable`, and active again by SQL',
      async (name) => {
        await cli(['user', 'disable', name]);
        await db.execute(`update users set active = true where username = '${name}'`);
      },
    ],
    [
      'another hash by SQL, and the old one again',
      async (name) => {
        await db.execute(`update users set password_hash = 'x' where username = '${name}'`);
        await db.execute(`update users set password_hash = '${passwordHash}' where username = '${name}'`);
      },
    ],
    [
      'another role, and the old one again',
      async (name) => {
        await db.execute(`update users set role = 'viewer' where username = '${name}'`);
        await db.execute(`update users set role = 'operator' where username = '${name}'`);
      },
    ],
    [
      'inactive and active in one transaction',
      (name) =>
        db.execute(`do $$ begin
          update users set active = false where username = '${name}';
          update users set active = true where username = '${name}';
        end $$`),
    ],
    [
      'the user deleted, and the very row inserted again',
      (name) =>
        db.execute(`do $$ declare kept users; begin
          select * into kept from users where username = '${name}';
          delete from users where username = '${name}';
          insert into users select kept.*;
        end $$`),
    ],
    [
      'another name, and the old one again',
      async (name) => {
        await db.execute(`update users set username = 'away' where username = '${name}'`);
        await db.execute(`update users set username = '${name}' where username = 'away'`);
      },
    ],
    [
      'the version set back by hand',
      (name) =>
        db.execute(`do $$ declare before uuid; begin
          select credentials_version into before from users where username = '${name}';
          update users set active = false where username = '${name}';
          update users set active = true where username = '${name}';
          update users set credentials_version = before where username = '${name}';
        end $$`),
    ],
    [
      'a change that logical replication applies',
      (name) =>
        db.execute(`do $$ begin
          set local session_replication_role = replica;
          update users set active = false where username = '${name}';
          update users set active = true where username = '${name}';
        end $$`),
    ],
  ])('with %s', async (_what, change) => {
    const username = await newUser();
    const { status, cookie } = await signIn(username, PASSWORD, newAddress());
    expect(status).toBe(303);
    expect(await isLive(cookie)).toBe(true);
    await change(username);
    expect(await db.rows(`select active::text from users where username = '${username}'`)).toEqual([
      { active: 'true' },
    ]);
    expect(await isLive(cookie)).toBe(false);
  });

  it('but is unaffected by any other update', async () => {
    const username = await newUser();
    const { cookie } = await signIn(username, PASSWORD, newAddress());
    await db.execute(`update users set updated_at = now(), active = active where username = '${username}'`);
    expect(await isLive(cookie)).toBe(true);
  });
});

describe('between the check of the password and the session', () => {
  it('a change of the user leaves none behind', async () => {
    const username = await newUser();
    const seen = await readCandidate(db.sql, username);
    if (seen === undefined) throw new Error('expected the user');
    await db.execute(`update users set password_hash = 'new' where username = '${username}'`);
    expect(await openSession(db.sql, '01', seen)).toBe(false);
  });

  it('a change that is not committed yet ends it when it is', async () => {
    const username = await newUser();
    const seen = await readCandidate(db.sql, username);
    if (seen === undefined) throw new Error('expected the user');
    const other = new Client({ connectionString: db.databaseUrl });
    await other.connect();
    await other.query('begin');
    await other.query(`update users set password_hash = 'new' where username = $1`, [username]);
    expect(await openSession(db.sql, '02', seen)).toBe(true);
    expect(await sessionUser(db.sql, '02')).toMatchObject({ username });
    await other.query('commit');
    await other.end();
    expect(await sessionUser(db.sql, '02')).toBe(undefined);
  });

  it('a new password counts at once', async () => {
    const username = await newUser();
    const address = newAddress();
    expect((await signIn(username, PASSWORD, address)).status).toBe(303);
    await cli(['user', 'add', username, '--role', 'operator'], 'another-canary\n');
    expect((await signIn(username, PASSWORD, address)).status).toBe(401);
    expect((await signIn(username, 'another-canary', address)).status).toBe(303);
  });
});

describe('guessing', () => {
  it('ninety at once, at two replicas: only five are checked', async () => {
    const username = await newUser();
    const address = newAddress();
    const answers = await Promise.all(
      Array.from({ length: 90 }, (_, n) => signIn(username, `guess-${n}`, address, { replica: n % 2 })),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array(5).fill(401), ...Array(85).fill(429)]);
    expect((await signIn(username, PASSWORD, address)).status).toBe(429);
  });

  it('a right password gives the count back', async () => {
    const username = await newUser();
    const address = newAddress();
    for (let round = 0; round < 3; round += 1) {
      for (let n = 0; n < 4; n += 1) expect((await signIn(username, 'wrong-one', address)).status).toBe(401);
      expect((await signIn(username, PASSWORD, address)).status).toBe(303);
    }
  });

  it('shuts out nobody else behind the same proxy, and not the user elsewhere', async () => {
    const [username, other] = [await newUser(), await newUser()];
    const [bad, good] = [newAddress(), newAddress()];
    for (let n = 0; n < 8; n += 1) await signIn(username, 'wrong-one', bad);
    expect((await signIn(username, PASSWORD, bad)).status).toBe(429);
    expect((await signIn(other, PASSWORD, bad)).status).toBe(303);
    expect((await signIn(username, PASSWORD, good)).status).toBe(303);
  });

  it('from many addresses ends, and does not shut the user out of where they work', async () => {
    const username = await newUser();
    const office = newAddress();
    expect((await signIn(username, PASSWORD, office)).status).toBe(303);
    const statuses = [];
    for (let n = 0; n < 24; n += 1) statuses.push((await signIn(username, 'guess', newAddress())).status);
    expect(statuses).toEqual([...Array(20).fill(401), ...Array(4).fill(429)]);
    expect((await signIn(username, PASSWORD, newAddress())).status).toBe(429);
    expect((await signIn(username, PASSWORD, office)).status).toBe(303);
    expect((await signIn(await newUser(), PASSWORD, newAddress())).status).toBe(303);
  });

  it('many names from one address ends as well, and not for whoever works there', async () => {
    const username = await newUser();
    const address = newAddress();
    expect((await signIn(username, PASSWORD, address)).status).toBe(303);
    const claims = Array.from({ length: 60 }, (_, n) =>
      countAttempt(db.sql, { username: `nobody-${n}`, address }),
    );
    const kinds = (await Promise.all(claims)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'counted')).toHaveLength(50);
    expect((await signIn(await newUser(), PASSWORD, address)).status).toBe(429);
    expect((await signIn(username, PASSWORD, address)).status).toBe(303);
  });

  it('is not helped by signing in oneself in between', async () => {
    const username = await newUser();
    const claim = { username, address: newAddress() };
    const own = { username: 'own', address: claim.address };
    for (let n = 0; n < 5; n += 1) {
      await countAttempt(db.sql, claim);
      await countAttempt(db.sql, own);
      await countSuccess(db.sql, own);
    }
    expect(await countAttempt(db.sql, claim)).toEqual({ kind: 'blocked' });
  });

  it('is counted by 64 bits of an IPv6 address', async () => {
    const username = await newUser();
    for (let n = 0; n < 5; n += 1)
      expect((await signIn(username, 'wrong-one', `2001:db8:0:1::${n}`)).status).toBe(401);
    expect((await signIn(username, PASSWORD, '2001:db8:0:1:ffff::9')).status).toBe(429);
    expect((await signIn(username, PASSWORD, '2001:db8:0:2::9')).status).toBe(303);
  });

  it('is over after its window, and its rows go', async () => {
    const username = await newUser();
    const address = newAddress();
    for (let n = 0; n < 6; n += 1) await signIn(username, 'wrong-one', address);
    await db.execute(`update console_attempts set until = now() - interval '1 second'`);
    expect((await signIn(username, 'wrong-one', address)).status).toBe(401);
    await db.execute(`update console_attempts set until = now() - interval '1 second'`);
    await db.execute(`update console_addresses set last_at = now() - interval '91 days'`);
    await clearAttempts(db.sql);
    expect(await db.rows('select count(*)::text as n from console_attempts')).toEqual([{ n: '0' }]);
    expect(await db.rows('select count(*)::text as n from console_addresses')).toEqual([{ n: '0' }]);
  });

  it('at once by many, with success among them, never makes two statements wait for each other', async () => {
    const address = newAddress();
    const work = Array.from({ length: 300 }, async (_, n) => {
      const claim = { username: `crowd-${n % 7}`, address };
      await countAttempt(db.sql, claim);
      if (n % 3 === 0) await countSuccess(db.sql, claim);
      if (n % 50 === 0) await clearAttempts(db.sql);
    });
    await expect(Promise.all(work)).resolves.toHaveLength(300);
  });
});

describe('what a proxy says', () => {
  it('is believed of a trusted one alone: another cannot make up addresses, nor TLS', async () => {
    const username = await newUser();
    const stranger = { localAddress: '127.0.0.2' };
    for (let n = 0; n < 5; n += 1)
      expect((await signIn(username, 'wrong-one', newAddress(), stranger)).status).toBe(401);
    expect((await signIn(username, PASSWORD, newAddress(), stranger)).status).toBe(429);
    const https = { headers: { 'x-forwarded-proto': 'https' } };
    const other = await signIn(await newUser(), PASSWORD, '', { ...https, localAddress: '127.0.0.4' });
    expect(other.cookie).toMatch(/^cdr_desk=/);
    expect(sites.map((site) => site.output()).join('')).toContain('see CONSOLE_TRUSTED_PROXIES');
  });

  it('is believed of its last hop, not of what the client sent along', async () => {
    const username = await newUser();
    const address = newAddress();
    for (let n = 0; n < 5; n += 1) await signIn(username, 'wrong-one', `${newAddress()}, ${address}`);
    expect((await signIn(username, PASSWORD, `${newAddress()}, ${address}`)).status).toBe(429);
  });

  it('https: the cookie is one of this host alone, over TLS alone, and no other counts there', async () => {
    const username = await newUser();
    const https = { 'x-forwarded-proto': 'https', 'x-forwarded-for': newAddress() };
    const entered = await ask('/sign-in', { form: { username, password: PASSWORD }, headers: https });
    expect(entered.cookie).toMatch(/^__Host-cdr_desk=[\w-]{43}$/);
    const { cookie } = entered;
    expect((await ask('/dead-letters', { headers: { ...https, cookie } })).status).toBe(200);
    expect((await ask('/dead-letters', { headers: { cookie } })).status).toBe(303);
    const tossed = cookie.replace('__Host-', '');
    expect((await ask('/dead-letters', { headers: { ...https, cookie: tossed } })).status).toBe(303);
  });
});

it('no password is logged, nor a name that is nobody’s: it may be a password in the wrong field', async () => {
  const username = await newUser();
  await signIn(username, 'canary-of-a-password', newAddress());
  await signIn('canary-in-the-name', 'x', newAddress());
  await signIn('a\0b', 'x', newAddress());
  await signIn(username, 'x'.repeat(2000), newAddress());
  await sites[0]?.logged(`"username":"${username}"`);
  const output = sites.map((site) => site.output()).join('');
  expect(output).toContain('"username":null');
  expect(output).not.toMatch(/canary|xxxxx/);
  expect(output).not.toContain('"level":"error"');
});
