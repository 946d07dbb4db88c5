import { randomUUID } from 'node:crypto';
import { type ConfirmChannel, connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OrderContext, placeOrder } from '../../src/calls/order.ts';
import type { Order } from '../../src/store/calls/orders.ts';
import { upsertUser } from '../../src/store/users.ts';
import { until } from '../support/broker.ts';
import { expectConserved, keepOpeningBalances } from '../support/correcting.ts';
import { type OperatorSite, openOperatorSite, PASSWORD } from '../support/operators.ts';
import { cheapHash } from '../support/password.ts';

let site: OperatorSite;
let channel: ConfirmChannel;
let disconnect: () => Promise<unknown>;
const REPLIES = 'cdrs.reply.shop';
const heard: { id: string; code: string; key: string; headers: Record<string, unknown> }[] = [];

beforeAll(async () => {
  site = await openOperatorSite('corrections-worker');
  await keepOpeningBalances(site.db);
  await upsertUser(site.db.sql, {
    username: 'shop',
    role: 'commerce',
    passwordHash: await cheapHash(PASSWORD),
    customers: [1, 2],
  });
  const connection = await connect(site.db.amqpUrl);
  disconnect = () => connection.close();
  channel = await connection.createConfirmChannel();
  await channel.assertQueue(REPLIES, { exclusive: true });
  await channel.consume(
    REPLIES,
    (message) => {
      const { responses } = JSON.parse(String(message?.content)) as {
        responses: { code: string; key: string }[];
      };
      const { correlationId: id, headers } = message?.properties ?? {};
      heard.push({ id: String(id), code: '', key: '', headers: headers ?? {}, ...responses[0] });
    },
    { noAck: true },
  );
});
afterAll(async () => {
  await disconnect?.();
  await site?.close();
});

interface Sent {
  body: Record<string, unknown>;
  id?: string | null;
  exchange?: string;
  headers?: Record<string, unknown>;
}

/** Sends a message of the shop; resolves when the broker has it. Its correlation id tells its replies. */
async function send(routingKey: string, { body, id = randomUUID(), exchange = 'cdrs', headers = {} }: Sent) {
  const correlationId = randomUUID();
  const credentials = { auth_username: 'shop', auth_password: PASSWORD };
  channel.publish(exchange, routingKey, Buffer.from(JSON.stringify({ ...credentials, ...body })), {
    ...{ correlationId, replyTo: REPLIES, headers },
    ...(id !== null && { messageId: id }),
  });
  await channel.waitForConfirms();
  return correlationId;
}

async function replyTo(correlationId: string) {
  await until(() => heard.some(({ id }) => id === correlationId));
  const reply = heard.find(({ id }) => id === correlationId);
  if (reply === undefined) throw new Error('no reply');
  return reply;
}

async function ask(routingKey: string, sent: Sent): Promise<string> {
  const { code, key } = await replyTo(await send(routingKey, sent));
  return `${code} ${key}`.trim();
}

const call = async (uniqueid: string, more: Record<string, unknown> = {}) =>
  expect(await site.submit({ uniqueid, ...more })).toEqual([{ code: '204', key: '' }]);
const entriesOf = (uniqueid: string) =>
  site.db.rows(
    `select id, kind, booked_by, why from corrections where uniqueid = '${uniqueid}' order by kind desc`,
  );
const lettersOf = (uniqueid: string) =>
  site.db.rows(
    `select reason, status, operation, verified::text from dead_letters where uniqueid = '${uniqueid}' order by id`,
  );

describe('a correction by message', () => {
  it('is booked once in the name of its sender, and its reply says what was moved', async () => {
    await call('u-1');
    const update = { body: { uniqueid: 'u-1', cost: 2.5, messages: '' }, id: 'shop-1' };
    const first = await replyTo(await send('cdrs.update', update));
    expect(first).toMatchObject({
      code: '204',
      headers: { uniqueid: 'u-1', charged: '2.5', currency: 'USD', tax: '0', invoice: 10 },
    });
    expect(first.headers.duplicate).toBeUndefined();
    const again = await replyTo(await send('cdrs.update.shop', update));
    expect(again).toMatchObject({
      code: '204',
      headers: { uniqueid: 'u-1', charged: '2.5', duplicate: true },
    });
    expect(await ask('cdrs.update', { body: { uniqueid: 'u-1', cost: '3' }, id: 'shop-1' })).toBe(
      '400 message_id',
    );
    expect(await ask('cdrs.void.shop', { body: { uniqueid: 'u-1' }, id: 'shop-2' })).toBe('204');
    expect(await entriesOf('u-1')).toEqual([
      { id: 'shop-1#reversal', kind: 'reversing', booked_by: 'shop', why: null },
      { id: 'shop-2', kind: 'reversing', booked_by: 'shop', why: null },
      { id: 'shop-1', kind: 'new', booked_by: 'shop', why: null },
    ]);
    await expectConserved(site.db);
  });

  it('is refused for what it lacks, for its role, and for what its sender may not touch', async () => {
    await call('u-2', { scustomer: 3 });
    const body = { uniqueid: 'u-2' };
    expect(await ask('cdrs.void', { body, id: null })).toBe('400 message_id');
    expect(await ask('cdrs.void', { body, id: 'x#reversal' })).toBe('400 message_id');
    expect(await ask('cdrs.void', { body, id: 'dead-letter-7' })).toBe('400 message_id');
    expect(await ask('cdrs.void', { body: { ...body, cost: 1 } })).toBe('400 cost');
    expect(await ask('cdrs.update', { body: { ...body, validation: 1 } })).toBe('400 validation');
    expect(await ask('cdrs.update', { body })).toBe('400');
    expect(await ask('cdrs.update', { body: { ...body, cost: 'x', customer: 1 } })).toBe('400 cost');
    expect(await ask('cdrs.update', { body: { ...body, cost: 'x', customer: 3 } })).toBe('402');
    expect(await ask('cdrs.void', { body })).toBe('402');
    expect(await ask('cdrs.void', { body: { ...body, auth_username: 'switch' } })).toBe('402');
    expect(await ask('cdrs.void', { body: { ...body, auth_username: 'nobody' } })).toBe('401');
    expect(await ask('cdrs.create', { body: { ...body, machine: 'm-1', start: 1, scustomer: 1 } })).toBe(
      '402',
    );
    expect(await lettersOf('u-2')).toContainEqual({
      reason: 'forbidden',
      status: 'dead',
      operation: 'update',
      verified: 'true',
    });
    expect(await entriesOf('u-2')).toEqual([]);
  });

  it('of a call that is not stored yet is a 404, and replaying it after the call came books it', async () => {
    expect(await ask('cdrs.update', { body: { uniqueid: 'u-3', cost: '4' }, id: 'early' })).toBe(
      '404 uniqueid',
    );
    expect(await ask('cdrs.void', { body: { uniqueid: 'u-3' }, id: null })).toBe('400 message_id');
    await call('u-3');
    const dry = await site.dead([
      'replay',
      '--uniqueid',
      'u-3',
      '--set',
      'cost=5',
      '--why',
      'a typo',
      '--dry-run',
    ]);
    expect(dry.stdout).toContain('u-3');
    const [update = ''] = await site.ids(`uniqueid = 'u-3' and operation = 'update'`);
    const { code, stderr } = await site.dead(['replay', update, '--set', 'cost=5', '--why', 'a typo']);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const [voided = ''] = await site.ids(`uniqueid = 'u-3' and operation = 'void'`);
    expect((await site.dead(['replay', voided])).code).toBe(0);
    expect(await lettersOf('u-3')).toMatchObject([{ status: 'resolved' }, { status: 'resolved' }]);
    expect(await entriesOf('u-3')).toEqual([
      { id: 'early#reversal', kind: 'reversing', booked_by: 'boss', why: null },
      { id: `dead-letter-${voided}`, kind: 'reversing', booked_by: 'boss', why: null },
      { id: 'early', kind: 'new', booked_by: 'boss', why: null },
    ]);
    await expectConserved(site.db);
  });

  it.each([
    ['expired', 'void'],
    ['delivery_limit', 'update'],
  ])('that the broker dead-lettered (%s) is tried as what it is', async (reason, operation) => {
    const uniqueid = `dead-${reason}`;
    await call(uniqueid);
    const headers = { 'x-death': [{ count: 1, reason, queue: 'cdrs.create', exchange: 'cdrs' }] };
    const body = { uniqueid, ...(operation === 'update' && { cost: '9' }) };
    const sent = { body, id: reason, exchange: 'cdrs.dead', headers };
    expect(await ask(`cdrs.${operation}`, sent)).toBe('204');
    expect((await entriesOf(uniqueid)).map(({ id }) => id)).toContain(reason);
    for (const letter of await lettersOf(uniqueid))
      expect(letter).toMatchObject({ status: 'resolved', operation });
  });

  it('waits for the row of its customer, and only it does', async () => {
    await call('u-4');
    await call('u-5', { scustomer: 2 });
    let free = () => {};
    let tellLocked = () => {};
    const locked = new Promise<void>((resolve) => {
      tellLocked = resolve;
    });
    const held = site.db.transaction(
      async (sql) => {
        await sql({ name: 'test.lock', text: 'select from customers where id = 1 for update' }, []);
        tellLocked();
        await new Promise<void>((resolve) => {
          free = resolve;
        });
      },
      { timeoutMs: 60_000 },
    );
    await locked;
    const stuck = await send('cdrs.void', { body: { uniqueid: 'u-4' } });
    expect(await ask('cdrs.void', { body: { uniqueid: 'u-5' } })).toBe('204');
    const port = await site.worker.port();
    const waiting = 'cdr_ingest_waiting_messages{queue="cdrs.create"} 1';
    await until(async () =>
      (await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).includes(waiting),
    );
    expect(await entriesOf('u-4')).toEqual([]);
    free();
    await held;
    expect(await replyTo(stuck)).toMatchObject({ code: '204' });
    await expectConserved(site.db);
  });
});

describe('what an operator orders', () => {
  const order = (uniqueid: string, more: Partial<Order> = {}): Order => ({
    ...{ id: randomUUID(), operation: 'update', uniqueid, follows: '', operator: 'boss', why: 'a typo' },
    ...{ program: 'command', deadLetter: null },
    ...more,
  });
  const context = (changed: (body: Buffer) => Buffer = (body) => body): OrderContext => ({
    sql: site.db.sql,
    publish: async (messages) => {
      for (const { exchange, routingKey, body, properties } of messages) {
        const { correlationId, ...others } = properties ?? {};
        for (let copy = 0; copy < 2; copy += 1) channel.publish(exchange, routingKey, changed(body), others);
      }
      await channel.waitForConfirms();
    },
    patienceMs: 30_000,
    stop: new AbortController().signal,
  });

  it('is booked once in the operator s name, whoever is confined to what, and decides a conflict', async () => {
    await call('o-1', { scustomer: 3 });
    expect(await site.submit({ uniqueid: 'o-1', scustomer: 3, cost: '7' })).toMatchObject([{ code: '400' }]);
    const [deadLetter = null] = await site.ids(`uniqueid = 'o-1'`);
    const first = order('o-1', { deadLetter });
    expect(await placeOrder(first, { cost: '7' }, context())).toEqual({ kind: 'booked' });
    expect(await entriesOf('o-1')).toEqual([
      { id: `${first.id}#reversal`, kind: 'reversing', booked_by: 'boss', why: 'a typo' },
      { id: first.id, kind: 'new', booked_by: 'boss', why: 'a typo' },
    ]);
    expect(await lettersOf('o-1')).toMatchObject([{ reason: 'conflict', status: 'resolved' }]);
    // What the operator saw is not in force any more.
    const late = await placeOrder(order('o-1', { operation: 'void' }), {}, context());
    expect(late).toMatchObject({ kind: 'refused', responses: [{ code: '400', key: 'uniqueid' }] });
    const unknown = await placeOrder(order('nowhere', { operation: 'void' }), {}, context());
    expect(unknown).toMatchObject({ kind: 'refused', responses: [{ code: '404' }] });
    const wrong = await placeOrder(order('o-1', { follows: first.id }), {}, context());
    expect(wrong).toMatchObject({ kind: 'refused', responses: [{ code: '400' }] });
    expect(await site.ids(`uniqueid in ('o-1', 'nowhere') and status = 'dead'`)).toEqual([]);
    await expectConserved(site.db);
  });

  it('is nobody else s: another body is a 401, and leaves the order as it is', async () => {
    await call('o-2');
    const forged = context((body) => Buffer.from(String(body).replace('o-2', 'u-5')));
    const placed = await placeOrder(order('o-2'), { cost: '7' }, { ...forged, patienceMs: 2000 });
    expect(placed).toEqual({ kind: 'unanswered' });
    await until(async () => (await lettersOf('u-5')).length > 0);
    expect(await lettersOf('u-5')).toEqual([
      { reason: 'unauthenticated', status: 'dead', operation: 'update', verified: 'false' },
    ]);
    expect(await entriesOf('o-2')).toEqual([]);
  });
});
