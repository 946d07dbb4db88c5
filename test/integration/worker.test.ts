import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSwitchClient, type SwitchClient } from '../../src/broker/switch-client.ts';
import { upsertUser } from '../../src/store/users.ts';
import { cheapHash } from '../support/password.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

let db: BillingDatabase;
let worker: WorkerProcess;
let client: SwitchClient;

beforeAll(async () => {
  db = await billingDatabase('worker');
  for (const [username, role] of [
    ['switch', 'system'],
    ['auditor', 'viewer'],
  ] as const) {
    await upsertUser(db.sql, { username, role, passwordHash: await cheapHash('right-canary') });
  }
  worker = await startProcess(['worker'], {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    HTTP_PORT: '0',
  });
  await worker.logged('"state":"consuming"');
  client = await openSwitchClient([db.amqpUrl], 'cdrs', 30_000);
});

afterAll(async () => {
  await client?.close();
  await worker?.stop();
  await db?.drop();
});

/** The example of the source contract. */
const example = {
  auth_username: 'switch',
  auth_password: 'right-canary',
  uniqueid: '1234567890.123456',
  machine: '1',
  start: 1234567890,
  scustomer: 1,
};

const submit = (parameters: object) =>
  client.submit({ body: JSON.stringify({ ...example, ...parameters }), machine: '1' });

describe('a worker process', () => {
  it('answers the example of the contract with its envelope and stores every default', async () => {
    expect(await submit({})).toEqual({
      responses: [{ code: '204', key: '', message: 'OK' }],
      isDuplicate: false,
    });
    const [stored] = await db.prisma.cdr.findMany({ where: { uniqueid: example.uniqueid } });
    expect(stored).toMatchObject({
      machine: '1',
      start: new Date(1234567890_000),
      end: new Date(1234567890_000),
      scustomer: 1,
      dcustomer: 1,
      stype: '',
      snumber: '',
      spresent: 0,
      sname: '',
      ctype: '',
      cnumber: '',
      dtype: '',
      dnumber: '',
      callid: '1234567890.123456',
      channel: '',
      currency: 'USD',
      ingroup_time: 0,
      invoice: null,
      media: 'voice',
      messages: 0,
      note: '',
      outgroup_time: 0,
      peer: null,
      recording: '',
      status: 'answer',
      talktime: 0,
      taxes: '',
      time: 0,
      totaltime: 0,
      update_balance: 1,
      update_invoices: 1,
      submittedBy: 'switch',
    });
    expect(stored?.cost.toFixed(2)).toBe('0.00');
  });

  it('says that a repeat is one', async () => {
    await submit({ uniqueid: 'twice' });
    expect(await submit({ uniqueid: 'twice' })).toMatchObject({
      responses: [{ code: '204' }],
      isDuplicate: true,
    });
  });

  it('takes the query string of the HTTP API', async () => {
    const body =
      'auth_username=switch;auth_password=right-canary;uniqueid=form-1;machine=1;start=1234567890;scustomer=1';
    const reply = await client.submit({ body, contentType: 'application/x-www-form-urlencoded' });
    expect(reply.responses).toEqual([{ code: '204', key: '', message: 'OK' }]);
  });

  it.each([
    [
      'several errors at once',
      { uniqueid: 'bad', cost: 'x', start: -1, cots: 1 },
      ['start', 'cost', 'cots'],
      '400',
    ],
    ['a wrong password', { auth_password: 'wrong-canary' }, [''], '401'],
    ['an unknown user', { auth_username: 'nobody' }, [''], '401'],
    ['a user of another role', { auth_username: 'auditor' }, [''], '402'],
  ])('answers %s', async (_, parameters, keys, code) => {
    const { responses } = await submit(parameters);
    expect(responses.map(({ key }) => key)).toEqual(keys);
    expect(new Set(responses.map((response) => response.code))).toEqual(new Set([code]));
  });

  it.each([
    ['no JSON', '{'],
    ['an array', '[]'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['a deep nest', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['more than 256 KiB', JSON.stringify({ ...example, note: 'x'.repeat(300_000) })],
  ])('refuses %s and goes on', async (_, body: string | Buffer) => {
    const { responses } = await client.submit({ body });
    expect(responses).toMatchObject([{ code: '400', key: '' }]);
    expect((await submit({ uniqueid: `after ${_}` })).responses[0]?.code).toBe('204');
  });

  it('shows no password in its log, its metrics or its tables', async () => {
    const metrics = await (await fetch(`http://127.0.0.1:${await worker.port()}/metrics`)).text();
    expect(metrics).toContain('cdr_ingest_results_total{code="204"}');
    const tables = await db.rows(
      `select (select string_agg(c::text, '') from cdrs c) a, (select string_agg(d::text, '') from dead_letters d) b`,
    );
    expect(worker.output() + metrics + JSON.stringify(tables)).not.toMatch(/canary/);
  });

  it('is alive and ready', async () => {
    const port = await worker.port();
    expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`);
    expect(await ready.json()).toEqual({ consuming: true, database: true, replies: true });
  });

  it('drains on SIGTERM, answers what it took and exits 0', async () => {
    const calls = Array.from({ length: 300 }, (_, index) => submit({ uniqueid: `drain-${index}` }));
    await calls[0];
    expect(await worker.stop()).toBe(0);
    const second = await startProcess(['worker'], {
      DATABASE_URL: db.databaseUrl,
      AMQP_URL: db.amqpUrl,
      HTTP_PORT: '0',
    });
    const replies = await Promise.all(calls);
    await second.logged('"state":"consuming"');
    expect(replies.every(({ responses }) => responses[0]?.code === '204')).toBe(true);
    expect(await db.rows(`select count(*)::text from cdrs where uniqueid like 'drain-%'`)).toEqual([
      { count: '300' },
    ]);
    expect(await second.stop()).toBe(0);
  });
});
