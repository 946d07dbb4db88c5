import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/broker.ts';
import { callOf, type OperatorSite, openOperatorSite, PASSWORD } from '../support/operators.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

const FORM = 'application/x-www-form-urlencoded';
const X_DEATH = [
  {
    count: 2,
    reason: 'delivery_limit',
    queue: 'cdrs.create',
    exchange: 'cdrs.intake',
    'routing-keys': ['cdrs.create'],
  },
];

let site: OperatorSite;
let consoleProcess: WorkerProcess;
let origin: string;
let session: { cookie: string; csrf: string };

beforeAll(async () => {
  site = await openOperatorSite('dead-letters-forged');
  consoleProcess = await startProcess(['console'], { ...site.environment, CONSOLE_PORT: '0' });
  origin = `http://127.0.0.1:${await consoleProcess.port()}`;
  const signIn = await post('/sign-in', { username: 'boss', password: PASSWORD });
  const cookie = (signIn.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  const page = await (await fetch(origin, { headers: { cookie } })).text();
  session = { cookie, csrf: /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? '' };
});

afterAll(async () => {
  await consoleProcess?.stop();
  await site?.close();
});

async function post(path: string, form: Record<string, string>, cookie?: string): Promise<Response> {
  return await fetch(`${origin}${path}`, {
    method: 'POST',
    body: new URLSearchParams(form),
    redirect: 'manual',
    headers: cookie === undefined ? {} : { cookie },
  });
}

/** Publishes as anybody can who may write to the exchange. */
async function publish(
  body: string | Buffer,
  more: { contentType?: string; routingKey?: string; headers?: object } = {},
): Promise<void> {
  const connection = await connect(site.db.amqpUrl);
  const channel = await connection.createConfirmChannel();
  const { routingKey = 'cdrs.create', headers = {}, ...options } = more;
  channel.publish('cdrs', routingKey, Buffer.from(body), { ...options, headers });
  await channel.waitForConfirms();
  await connection.close();
}

const deadLetter = async (uniqueid: string): Promise<Record<string, string | null> | undefined> => {
  const rows = await site.db.rows(
    `select id::text, reason, status, verified::text, altered::text from dead_letters
     where uniqueid = '${uniqueid}' and status in ('dead', 'replaying') and reason <> 'poison'`,
  );
  return rows[0];
};
const stored = (uniqueid: string) =>
  site.db.rows(`select submitted_by, replayed_by from cdrs where uniqueid = '${uniqueid}'`);

/** A call that nobody sent with the password of `switch`, by what its dead letter is told from. */
const forged: [string, (uniqueid: string) => Promise<void>][] = [
  [
    'without a password',
    (uniqueid) => publish(JSON.stringify({ ...callOf({ uniqueid }), auth_password: undefined })),
  ],
  [
    'with a wrong password',
    (uniqueid) => publish(JSON.stringify(callOf({ uniqueid, auth_password: 'guess' }))),
  ],
  [
    'with a wrong routing key',
    (uniqueid) => publish(JSON.stringify(callOf({ uniqueid })), { routingKey: 'cdr.create' }),
  ],
  [
    'in another charset',
    (uniqueid) =>
      publish(JSON.stringify(callOf({ uniqueid })), { contentType: 'application/json; charset=iso-8859-1' }),
  ],
  [
    'with a forged record of its death and no password',
    (uniqueid) =>
      publish(JSON.stringify({ ...callOf({ uniqueid }), auth_password: undefined }), {
        routingKey: 'cdr.create',
        headers: { 'x-death': X_DEATH },
      }),
  ],
  [
    'with a forged record of its death and a wrong password',
    (uniqueid) =>
      publish(JSON.stringify(callOf({ uniqueid, auth_password: 'guess' })), {
        routingKey: 'cdr.create',
        headers: { 'x-death': X_DEATH },
      }),
  ],
  [
    'as a form in another charset',
    (uniqueid) =>
      publish(`${new URLSearchParams(callOf({ uniqueid }) as Record<string, string>)}`, {
        contentType: `${FORM}; charset=iso-8859-1`,
      }),
  ],
];

describe.each(forged)('a call %s', (kind, send) => {
  const uniqueid = `forged ${kind}`.replaceAll(' ', '-');
  let id = '';
  let reason = '';

  beforeAll(async () => {
    await send(uniqueid);
    await until(async () => (await deadLetter(uniqueid)) !== undefined);
    const row = await deadLetter(uniqueid);
    id = row?.id ?? '';
    reason = row?.reason ?? '';
  });

  it('is shown as a claim, and does not count as money at stake', async () => {
    expect(await site.deadJson(['list', id])).toMatchObject([{ verified: false, submitted_by: 'switch' }]);
    const { stdout } = await site.dead(['show', id]);
    expect(stdout).toContain('claims to be switch');
    expect(stdout).not.toContain('sent by');
    expect(await site.deadJson(['show', id])).toMatchObject({ verified: false });
    expect(await site.deadJson(['list', id, '--group-by', 'sender'])).toMatchObject([
      { value: 'switch', count: 1, at_stake: [] },
    ]);
    const page = await (await fetch(`${origin}/dead-letters/${id}`, { headers: session })).text();
    expect(page).toContain('claims to be switch');
    expect(page).toContain('name="unverified"');
  });

  it('is neither dry-run nor replayed unless an operator vouches for it', async () => {
    for (const more of [[], ['--dry-run']]) {
      const { stdout } = await site.dead(['replay', id, '--reason', reason, ...more]);
      expect(stdout).toContain('--unverified');
    }
    expect((await site.dead(['replay', id, '--reason', reason])).code).toBe(1);
    expect(await site.deadJson(['replay', '--uniqueid', uniqueid])).toMatchObject({ selected: 0, sent: 0 });
    const form = { csrf: session.csrf, id, reason };
    for (const path of ['/dry-run', '/replay']) {
      const answer = await post(path, form, session.cookie);
      expect(answer.status).toBe(400);
      expect(await answer.text()).toContain('sender not verified');
    }
    expect(await stored(uniqueid)).toEqual([]);
    expect(await deadLetter(uniqueid)).toMatchObject({ status: 'dead' });
  });

  it('is stored in the name of that operator, once', async () => {
    const all = ['replay', id, '--reason', reason, '--unverified'];
    expect(await site.deadJson([...all, '--dry-run'])).toMatchObject({ rows: [{ id, becomes: 'accepted' }] });
    expect(await site.deadJson(all)).toMatchObject({ resolved: 1 });
    expect(await stored(uniqueid)).toEqual([{ submitted_by: 'boss', replayed_by: 'boss' }]);
    expect(await site.db.rows(`select verified::text from dead_letters where id = ${id}`)).toEqual([
      { verified: 'false' },
    ]);
  });
});

it('a call of a verified sender is replayed without further options', async () => {
  await site.submit({ uniqueid: 'honest-1', scustomer: 600 });
  const { id = '' } = (await deadLetter('honest-1')) ?? {};
  expect((await site.dead(['show', id ?? ''])).stdout).toContain('sent by switch');
  expect(await site.deadJson(['list', '--group-by', 'sender', '--uniqueid', 'honest-1'])).toMatchObject([
    { at_stake: [{ currency: 'USD', cost: '1.5' }] },
  ]);
  await site.db.execute(`insert into customers (id, name, currency) values (600, 'new', 'USD')`);
  expect(await site.deadJson(['replay', '--uniqueid', 'honest-1'])).toMatchObject({ resolved: 1 });
  expect(await stored('honest-1')).toEqual([{ submitted_by: 'switch', replayed_by: 'boss' }]);
});

it('an unverified call that is refused again stays unverified', async () => {
  await publish(
    JSON.stringify({ ...callOf({ uniqueid: 'again-1', scustomer: 601 }), auth_password: undefined }),
  );
  await until(async () => (await deadLetter('again-1')) !== undefined);
  const before = await deadLetter('again-1');
  expect(before).toMatchObject({ verified: 'false', status: 'dead' });
  const result = await site.deadJson(['replay', '--uniqueid', 'again-1', '--unverified']);
  expect(result).toMatchObject({ resolved: 0, dead: 1 });
  expect(await deadLetter('again-1')).toMatchObject({ verified: 'false', status: 'dead' });
});

describe('a call that is not kept as received', () => {
  it('keeps its uniqueid if that could be read, and is charged once', async () => {
    const form = new URLSearchParams(
      callOf({ uniqueid: 'BYPASS-6', note: 'password: none' }) as Record<string, string>,
    );
    await publish(`${form}`, { contentType: `${FORM}; charset=iso-8859-1` });
    await until(async () => (await deadLetter('BYPASS-6')) !== undefined);
    expect(await deadLetter('BYPASS-6')).toMatchObject({ altered: '{}' });
    await site.deadJson(['replay', '--uniqueid', 'BYPASS-6', '--unverified']);
    expect(await stored('BYPASS-6')).toHaveLength(1);
    expect(await site.submit({ uniqueid: 'BYPASS-6', note: 'password: none' })).toEqual([
      { code: '204', key: '' },
    ]);
    expect(await site.db.rows(`select uniqueid from cdrs where uniqueid like '%***%'`)).toEqual([]);
  });

  it.each([
    [
      'bytes that are no UTF-8',
      Buffer.from(`uniqueid=BYPASS-7;machine=m;start=1;scustomer=1;sname=Ren\xe9;auth_password=x`, 'latin1'),
      `${FORM}; charset=iso-8859-1`,
      'BYPASS-7',
    ],
    [
      'a body that ends too early',
      Buffer.from(
        `{"uniqueid":"cut-1","machine":"m","start":1,"scustomer":1,"auth_password":"x","token":"y"`,
      ),
      'application/json',
      'cut-1',
    ],
  ])('is not replayed: %s', async (_, body, contentType, uniqueid) => {
    await publish(body, { contentType });
    await until(async () => (await deadLetter(uniqueid)) !== undefined);
    const { id = '' } = (await deadLetter(uniqueid)) ?? {};
    const all = ['replay', id ?? '', '--unverified'];
    expect(await site.deadJson([...all, '--dry-run'])).toMatchObject({
      rows: [],
      leftAlone: [{ id, why: expect.stringContaining('have its sender send it again') }],
    });
    expect(await site.deadJson(all)).toMatchObject({ sent: 0, leftAlone: [{ id }] });
    expect(await site.deadJson([...all, '--set', 'note=x'])).toMatchObject({ sent: 0, leftAlone: [{ id }] });
    expect((await site.dead(['show', id ?? ''])).stdout).toContain('cannot be replayed');
    const page = await (await fetch(`${origin}/dead-letters/${id}`, { headers: session })).text();
    expect(page).toContain('Cannot be replayed');
    expect(await deadLetter(uniqueid)).toMatchObject({ status: 'dead' });
  });

  it('is replayed once an operator has set the masked parameter', async () => {
    const recording = `ftp://me:${PASSWORD}@host/1.wav`;
    await site.submit({ uniqueid: 'ftp-1', scustomer: 602, recording });
    await site.db.execute(`insert into customers (id, name, currency) values (602, 'new', 'USD')`);
    expect(await deadLetter('ftp-1')).toMatchObject({ altered: '{recording}', verified: 'true' });
    expect(await site.deadJson(['replay', '--uniqueid', 'ftp-1'])).toMatchObject({
      sent: 0,
      leftAlone: [{ why: 'recording was masked or cut and must be corrected first' }],
    });
    const set = ['--set', 'recording=/1.wav'];
    expect(await site.deadJson(['replay', '--uniqueid', 'ftp-1', ...set])).toMatchObject({ resolved: 1 });
    expect(await stored('ftp-1')).toHaveLength(1);
  });
});

it('a forged death record gains a call nothing beyond its credentials', async () => {
  const headers = { 'x-death': X_DEATH };
  await publish(JSON.stringify(callOf({ uniqueid: 'mine-1' })), { routingKey: 'cdr.create', headers });
  const isThere = async () =>
    (await stored('mine-1')).length > 0 || (await deadLetter('mine-1')) !== undefined;
  await until(isThere);
  // RabbitMQ 4 takes no record of a death from a client: the call is unroutable there.
  for (const { submitted_by } of await stored('mine-1')) expect(submitted_by).toBe('switch');
});

it('no password appears anywhere, whatever was forged', async () => {
  const tables = await site.db.rows(
    `select (select string_agg(d::text, '') from dead_letters d) a, (select string_agg(e::text, '') from dead_letter_events e) b`,
  );
  const { stdout } = await site.dead(['export']);
  expect(
    [JSON.stringify(tables), stdout, site.worker.output(), consoleProcess.output()].join('\n'),
  ).not.toContain('canary');
});
