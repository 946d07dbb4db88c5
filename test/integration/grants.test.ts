import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSwitchClient, type SwitchClient } from '../../src/broker/switch-client.ts';
import { attachLate, customersIn } from '../../src/calls/attach.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { nameFeeds } from '../../src/store/heard/name.ts';
import { readHeard } from '../../src/store/heard/read.ts';
import { recordHeard } from '../../src/store/heard/record.ts';
import { sumLate } from '../../src/store/late/list.ts';
import { planAttaching } from '../../src/store/late/plan.ts';
import { upsertUser } from '../../src/store/users.ts';
import { BILLING } from '../support/billing.ts';
import { type Outsider, outsider, until } from '../support/broker.ts';
import { runInProcess } from '../support/in-process.ts';
import { callOf, PASSWORD, runCommand } from '../support/operators.ts';
import { cheapHash } from '../support/password.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

type Part = 'worker' | 'console' | 'upkeep';
const PARTS: Part[] = ['worker', 'console', 'upkeep'];
/** Roles belong to the server and not to the database. */
const SUFFIX = randomBytes(4).toString('hex');
const roleOf = (part: Part) => `cdr "${part}" ${SUFFIX}`;
const quoted = (part: Part) => `"${roleOf(part).replaceAll('"', '""')}"`;
const SECRET = 'letters-and-digits-1';

let db: BillingDatabase;
let broker: Outsider;
let worker: WorkerProcess;
let client: SwitchClient;

beforeAll(async () => {
  db = await billingDatabase('grants');
  const passwordHash = await cheapHash(PASSWORD);
  for (const [username, role] of [
    ['switch', 'system'],
    ['boss', 'operator'],
  ] as const)
    await upsertUser(db.sql, { username, role, passwordHash });
  for (const part of PARTS) await db.execute(`create role ${quoted(part)} login password '${SECRET}'`);
  // Whatever somebody granted by hand is taken away.
  await db.execute(`grant all on all tables in schema public to ${quoted('worker')}`);
  const grants = PARTS.map((part) => `${part}=${roleOf(part)}`);
  const { code, stderr } = await runCommand(['migrate', '--grant', ...grants], {
    DATABASE_URL: db.databaseUrl,
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  await runInProcess(['topology'], { AMQP_URL: db.amqpUrl });
  broker = await outsider(db.amqpUrl);
});

afterAll(async () => {
  await client?.close();
  await worker?.stop();
  await broker?.close();
  for (const part of PARTS) await db?.execute(`drop owned by ${quoted(part)}`);
  for (const part of PARTS) await db?.execute(`drop role ${quoted(part)}`);
  await db?.drop();
});

function environmentOf(part: Part): Record<string, string> {
  const url = new URL(db.databaseUrl);
  url.username = encodeURIComponent(roleOf(part));
  url.password = SECRET;
  return { DATABASE_URL: url.href, AMQP_URL: db.amqpUrl, CDR_USERNAME: 'boss', CDR_PASSWORD: PASSWORD };
}

async function codesOf(parameters: Record<string, unknown>): Promise<string[]> {
  const { responses } = await client.submit({ body: JSON.stringify(callOf(parameters)) });
  return responses.map(({ code, key }) => `${code} ${key}`.trim());
}

const dead = (...args: string[]) => runInProcess(['dead', ...args], environmentOf('console'));
const deadLetterOf = async (uniqueid: string) =>
  (await db.rows(`select reason, status from dead_letters where uniqueid = '${uniqueid}' order by id`)).map(
    ({ reason, status }) => `${reason} ${status}`,
  );

async function as<Result>(part: Part, work: (database: Database) => Promise<Result>): Promise<Result> {
  const database = openDatabase({
    url: environmentOf(part).DATABASE_URL ?? '',
    poolSize: 1,
    statementTimeoutMs: 10_000,
    connectTimeoutMs: 10_000,
    applicationName: 'grants test',
  });
  return await work(database).finally(() => database.close(1000));
}

/** What a statement of a role comes to, alone and taken back. */
async function attempt(part: Part, statement: string): Promise<'done' | 'denied'> {
  const takenBack = new Error('taken back');
  try {
    await as(part, ({ prisma }) =>
      prisma.$transaction(async (transaction) => {
        await transaction.$executeRawUnsafe(statement);
        throw takenBack;
      }),
    );
    return 'done';
  } catch (error) {
    if (error === takenBack) return 'done';
    if (String(error).includes('42501')) return 'denied';
    throw error;
  }
}

describe('a worker with only the minimum grants', () => {
  it('does everything that a worker does', async () => {
    // A message that was returned until the broker quarantined it.
    const poisoned = callOf({ uniqueid: 'poison' });
    broker.channel.publish('cdrs', 'cdrs.create', Buffer.from(JSON.stringify(poisoned)));
    await broker.channel.waitForConfirms();
    await until(async () => {
      const message = await broker.channel.get('cdrs.create');
      if (message) broker.channel.reject(message, false);
      return message !== false;
    });
    worker = await startProcess(['worker'], { ...environmentOf('worker'), HTTP_PORT: '0' });
    await worker.logged('"queue":"cdrs.create","state":"consuming"');
    client = await openSwitchClient([db.amqpUrl], 'cdrs', 30_000);

    expect(await codesOf({ uniqueid: 'stored', taxes: '1' })).toEqual(['204']);
    expect(await codesOf({ uniqueid: 'stored', taxes: '1' })).toEqual(['204']);
    expect(await codesOf({ uniqueid: 'stored', cost: 9 })).toEqual(['400 uniqueid']);
    expect(await codesOf({ uniqueid: 'asked', validation: 1 })).toEqual(['201']);
    expect(await codesOf({ uniqueid: 'refused', scustomer: 77 })).toEqual(['400 scustomer']);
    expect(await codesOf({ uniqueid: 'stranger', auth_password: 'wrong-one' })).toEqual(['401']);
    expect(await codesOf({ uniqueid: 'forbidden', auth_username: 'boss' })).toEqual(['402']);
    expect(await codesOf({ uniqueid: 'refused', scustomer: 77 })).toEqual(['400 scustomer']);
    await db.execute(`insert into past_calls (uniqueid, fingerprint) values ('past', '\\x00')`);
    expect(await codesOf({ uniqueid: 'past' })).toEqual(['400 uniqueid']);
    await until(
      async () => (await db.rows(`select uniqueid from cdrs where uniqueid = 'poison'`)).length === 1,
    );
    broker.channel.publish('cdrs', 'no.such.key', Buffer.from(JSON.stringify(callOf({ uniqueid: 'lost' }))));
    await until(async () => (await deadLetterOf('lost')).length === 1);

    expect(await db.rows('select uniqueid from cdrs order by uniqueid')).toEqual([
      { uniqueid: 'poison' },
      { uniqueid: 'stored' },
    ]);
    expect(await deadLetterOf('refused')).toEqual(['rejected dead']);
    expect(await deadLetterOf('lost')).toEqual(['unroutable dead']);
    expect(worker.output()).not.toContain('cannot read the database for /metrics');
  });

  it('records who was heard of, which it and the console read', async () => {
    const numbers = [{ first: 1n, last: 2n, novelty: 'new' as const }];
    const counted = { field: 'n', numbers, beginsAnew: false };
    await as('worker', async (database) => {
      await nameFeeds(database.sql, [{ name: 'fs', everySeconds: 900, sequence: 'n' }]);
      await recordHeard(database, [{ kind: 'feed', name: 'fs', agoMs: 0, records: 2, counted }], 10_000);
      await nameFeeds(database.sql, [{ name: 'fs', everySeconds: 900, sequence: 'other' }]);
    });
    for (const part of ['worker', 'console'] as const)
      await as(part, async ({ sql }) => {
        expect((await readHeard(sql)).find(({ name }) => name === 'fs')).toMatchObject({ records: 2 });
      });
  });

  it('makes only the calls of a held row wait', async () => {
    const client = new Client({ connectionString: db.databaseUrl, application_name: 'a billing job' });
    await client.connect();
    await client.query('begin; update customers set name = name where id = 2');
    const held = codesOf({ uniqueid: 'held', scustomer: 2 });
    expect(await codesOf({ uniqueid: 'beside' })).toEqual(['204']);
    await worker?.logged('(a billing job); its calls wait');
    await client.end();
    expect(await held).toEqual(['204']);
  });

  it('persists the replays of an operator who has only the minimum grants', async () => {
    await db.execute(`insert into customers (id, name, currency) values (77, 'new', 'USD')`);
    const tried = await dead('replay', '--uniqueid', 'refused', '--dry-run');
    expect({ ...tried, stdout: '' }).toEqual({ code: 0, stderr: '', stdout: '' });
    expect((await dead('replay', '--uniqueid', 'refused')).code).toBe(0);
    expect(await deadLetterOf('refused')).toEqual(['rejected resolved']);
  });

  it('leaves an operator who has only the minimum grants to list, discard and reopen', async () => {
    expect((await dead('discard', '--uniqueid', 'past', '--why', 'known', '--yes')).code).toBe(0);
    expect((await dead('reopen', '--uniqueid', 'past', '--why', 'no', '--yes')).code).toBe(0);
    expect((await dead('discard', '--uniqueid', 'past', '--why', 'known', '--yes')).code).toBe(0);
    expect((await dead('list')).code).toBe(0);
    expect((await dead('list', '--group-by', 'problem')).code).toBe(0);
    expect((await dead('log')).code).toBe(0);
    expect((await dead('show', '1')).code).toBe(0);
    expect(await dead('export', '--format', 'csv')).toMatchObject({ code: 0, stderr: '' });
  });

  it.each([
    'delete from cdrs',
    'update cdrs set cost = 0',
    'truncate cdrs',
    'delete from past_calls',
    `insert into past_calls (uniqueid, fingerprint) values ('x', '')`,
    `update users set role = 'operator'`,
    `insert into users (username, password_hash, role) values ('x', 'x', 'operator')`,
    'delete from users',
    `update customers set currency = 'JPY'`,
    `insert into customers (id, currency) values (1000, 'USD')`,
    'delete from customers',
    `update invoices set status = 'open'`,
    'update invoices set customer = 1',
    'update currencies set rate = 1',
    'update taxes set rate = 0',
    'update peers set name = name',
    'delete from dead_letters',
    'delete from dead_letter_events',
    'select from console_sessions',
    `insert into console_sessions (id_hash, username) values ('x', 'boss')`,
    'select from console_attempts',
    'delete from _prisma_migrations',
    'create table anything (id int)',
    'alter table cdrs drop column cost',
    'drop function settle_assert(boolean, text)',
  ])('may not: %s', async (statement) => {
    expect(await attempt('worker', statement)).toBe('denied');
  });

  it('has no privilege that is not listed here', async () => {
    const tables = await db.rows(
      `select table_name || ' ' || string_agg(lower(privilege_type), ' ' order by privilege_type) as line
       from information_schema.role_table_grants where grantee = '${roleOf('worker')}'
       group by table_name order by table_name`,
    );
    expect(tables.map(({ line }) => line)).toEqual([
      '_prisma_migrations select',
      'activity insert',
      'cdrs insert select',
      'correction_orders select',
      'corrections insert select',
      'currencies select',
      'customer_keys select',
      'customers select',
      'dead_letter_events insert select update',
      'dead_letter_keys insert',
      'dead_letters insert select update',
      'heard insert select update',
      'invoices select',
      'known_calls select',
      'past_calls select',
      'peers select',
      'sequence_runs delete insert select update',
      'source_rules insert select update',
      'taxes select',
      'users select',
    ]);
    const columns = await db.rows(
      `select table_name || ' ' || string_agg(column_name, ' ' order by column_name) as line
       from information_schema.column_privileges
       where grantee = '${roleOf('worker')}' and privilege_type = 'UPDATE' and table_name in ('customers', 'invoices', 'correction_orders')
       group by table_name order by table_name`,
    );
    expect(columns.map(({ line }) => line)).toEqual([
      'correction_orders answered_at responses',
      'customers balance calls charged',
      'invoices calls cost tax total',
    ]);
  });
});

describe('the console with only the minimum grants', () => {
  it('signs an operator in, shows the dead letters and signs the operator out', async () => {
    const consoleProcess = await startProcess(['console'], {
      ...environmentOf('console'),
      CONSOLE_PORT: '0',
    });
    const origin = `http://127.0.0.1:${await consoleProcess.port()}`;
    const post = (path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
      fetch(`${origin}${path}`, {
        method: 'POST',
        body: new URLSearchParams(form),
        headers,
        redirect: 'manual',
      });
    expect((await post('/sign-in', { username: 'boss', password: 'wrong-one' })).status).not.toBe(303);
    const entered = await post('/sign-in', { username: 'boss', password: PASSWORD });
    expect(entered.status).toBe(303);
    const cookie = (entered.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    const page = await fetch(`${origin}/`, { headers: { cookie }, redirect: 'manual' });
    expect(page.status).toBe(200);
    const csrf = /name="csrf" value="([^"]+)"/.exec(await page.text())?.[1] ?? '';
    expect((await fetch(`${origin}/dead-letters`, { headers: { cookie } })).status).toBe(200);
    expect((await post('/sign-out', { csrf }, { cookie })).status).toBe(303);
    expect(await consoleProcess.stop()).toBe(0);
  });

  it('finds, shows and exports stored calls', async () => {
    await db.persist([{ uniqueid: 'looked-at', cost: '1' }]);
    for (const args of [
      ['find', '--customer', '1'],
      ['find', '--callid', 'looked-at', '--json'],
      ['show', 'looked-at'],
      ['export', '--uniqueid', 'looked-at'],
    ]) {
      const { stdout, stderr, code } = await runInProcess(['call', ...args], environmentOf('console'));
      expect({ args, stderr, code }).toEqual({ args, stderr: '', code: 0 });
      expect(stdout).toContain('looked-at');
    }
    const unknown = await runInProcess(['call', 'show', 'looked'], environmentOf('console'));
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('"looked-at"') });
  });

  it.each([
    `update users set role = 'operator'`,
    `insert into users (username, password_hash, role) values ('x', 'x', 'operator')`,
    'delete from users',
    'delete from cdrs',
    'update cdrs set cost = 0',
    `update customers set currency = 'JPY'`,
    `update invoices set status = 'open'`,
    'delete from dead_letters',
    'delete from dead_letter_events',
    'create table anything (id int)',
  ])('may not: %s', async (statement) => {
    expect(await attempt('console', statement)).toBe('denied');
  });
});

it('late calls are listed and attached with only the minimum grants of the console', async () => {
  await db.persist([{ uniqueid: 'late', cost: '1', start: 1, end: 1 }]);
  const order = { ...BILLING, customer: 1, invoice: 10, by: 'boss', why: 'late' };
  await as('console', async (database) => {
    const sums = await sumLate(database.sql, { customer: 1 });
    const late = sums.reduce((sum, { calls, corrections }) => sum + calls + corrections, 0);
    expect(late).toBeGreaterThan(0);
    const customers = customersIn(await planAttaching(database.sql, order));
    const context = { database, stop: new AbortController().signal, onProgress: () => undefined };
    expect(await attachLate(order, customers, context)).toEqual({ attached: late, end: { kind: 'done' } });
  });
});

describe('upkeep with only the minimum grants', () => {
  it('audits the records of a feed, also those that have to be compared', async () => {
    const preset = fileURLToPath(new URL('../../sources/freeswitch-amqp.yaml', import.meta.url));
    const sample = fileURLToPath(
      new URL('../sources/samples/01-freeswitch-mod_amqp-a-leg.json', import.meta.url),
    );
    const audit = () =>
      runInProcess(['source', 'audit', '--json', sample], {
        ...environmentOf('upkeep'),
        SOURCES_FILE: preset,
      });
    const { stdout, stderr } = await audit();
    expect({ stderr, missing: JSON.parse(stdout.split('\n')[0] ?? '') }).toMatchObject({
      stderr: '',
      missing: { state: 'missing' },
    });
    const { uniqueid } = JSON.parse(stdout.split('\n')[0] ?? '');
    await db.execute(`insert into past_calls (uniqueid, fingerprint) values ('${uniqueid}', 'other')`);
    expect(await audit()).toMatchObject({ stderr: '', stdout: expect.stringContaining('"different"') });
  });

  it('reconciles and prunes', async () => {
    const upkeep = environmentOf('upkeep');
    const proof = await runInProcess(['reconcile'], upkeep);
    expect({ code: proof.code, stderr: proof.stderr }).toEqual({ code: 0, stderr: '' });
    await db.execute(`update cdrs set received_at = now() - interval '3 years' where uniqueid = 'stored'`);
    await db.execute(
      `update dead_letters set closed_at = now() - interval '1 year' where closed_at is not null`,
    );
    // Its invoice takes no call any more, so the call may go.
    await db.execute(`update invoices set status = 'closed'`);
    for (const command of [
      ['prune', '--months', '24'],
      ['dead', 'prune', '--older-than', '90d'],
      ['reconcile'],
    ]) {
      const { code, stderr } = await runInProcess(command, upkeep);
      expect({ command, code, stderr }).toMatchObject({ command, code: 0 });
    }
    expect(await db.rows(`select uniqueid from past_calls where uniqueid = 'stored'`)).toHaveLength(1);
    expect(await deadLetterOf('past')).toEqual([]);
  });

  it.each([
    'select from users',
    `insert into cdrs (uniqueid) values ('x')`,
    'update cdrs set cost = 0',
    'update customers set balance = 0',
    'update invoices set total = 0',
    'delete from past_calls',
    'update dead_letters set status = status',
    'select from console_sessions',
    'create table anything (id int)',
  ])('may not: %s', async (statement) => {
    expect(await attempt('upkeep', statement)).toBe('denied');
  });
});

it.each(PARTS)('doctor says as the role of the %s that the database can be used', async (part) => {
  const { stdout } = await runInProcess(['doctor'], environmentOf(part));
  expect(stdout).toMatch(/^ok +database /m);
  expect(stdout).toMatch(/^ok +schema /m);
  expect(stdout).toMatch(/^ok +clock /m);
});

it('every table and sequence of the schema stands in each file of grants, so that nothing else is left over', async () => {
  const { grantStatements } = await import('../../src/store/grants.ts');
  const objects = await db.rows(
    `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'S')
     order by relname`,
  );
  for (const part of PARTS) {
    const revoked = (await grantStatements(part, 'x')).filter((text) => text.startsWith('revoke')).join(' ');
    expect(objects.filter(({ name }) => !new RegExp(`\\b${name}\\b`).test(revoked))).toEqual([]);
  }
});

describe('migrate --grant', () => {
  it.each(['worker', 'worker=', 'nobody=x', '=x'])('refuses %s', async (text) => {
    const { code, stderr } = await runCommand(['migrate', '--grant', text], {
      DATABASE_URL: db.databaseUrl,
    });
    expect(code).toBe(2);
    expect(stderr).toContain('--grant: expected one of worker, console, upkeep with a role');
  });

  it('says which role is missing', async () => {
    const { code, stderr } = await runCommand(['migrate', '--grant', 'worker=nobody-here'], {
      DATABASE_URL: db.databaseUrl,
    });
    expect(code).toBe(1);
    expect(stderr).toContain('cannot grant the rights of worker to nobody-here: ');
    expect(stderr).toContain('role "nobody-here" does not exist');
  });
});
