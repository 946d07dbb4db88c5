import type { ConsumeMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashPassword } from '../../src/auth/password.ts';
import { upsertUser } from '../../src/store/users.ts';
import { type Outsider, outsider, until } from '../support/broker.ts';
import { type OperatorSite, openOperatorSite } from '../support/operators.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

const EXCHANGE = 'rating.billed';
const QUEUE = 'rating.calls';

let site: OperatorSite;
let broker: Outsider;
let worker: WorkerProcess;
const told: ConsumeMessage[] = [];

beforeAll(async () => {
  // The exchange is missing.
  site = await openOperatorSite('billed', { BILLED_EXCHANGE: EXCHANGE, OUTAGE_RETURN_MS: '1000' });
  worker = site.worker;
  broker = await outsider(site.db.amqpUrl);
  await broker.channel.assertQueue(QUEUE);
  await broker.channel.consume(QUEUE, (message) => void (message && told.push(message)), { noAck: true });
});

afterAll(async () => {
  await broker?.close();
  await worker?.stop();
  await site?.close();
});

const declare = async () => {
  await broker.channel.assertExchange(EXCHANGE, 'topic');
  await broker.channel.bindQueue(QUEUE, EXCHANGE, 'cdrs.billed.#');
};

interface Body {
  uniqueid: string;
  repeat: boolean;
}

const toldOf = (uniqueid: string) =>
  told
    .map(({ content }) => JSON.parse(content.toString()) as Body)
    .filter((message) => message.uniqueid === uniqueid);

async function readiness(): Promise<unknown> {
  const answer = await fetch(`http://127.0.0.1:${await worker.port()}/readyz`);
  return { status: answer.status, ...((await answer.json()) as object) };
}

async function gauge(name: string): Promise<string | undefined> {
  const page = await (await fetch(`http://127.0.0.1:${await worker.port()}/metrics`)).text();
  return new RegExp(`^${name}(?:\\{.*"cdrs.create".*\\})? (.*)$`, 'm').exec(page)?.[1];
}

const refusals = () => worker.output().split('takes no message').length - 1;
const isIdle = async () => (await gauge('cdr_ingest_in_flight_messages')) === '0';

const isReadyAgain = async () => {
  const { status, billed } = (await readiness()) as { status: number; billed: boolean };
  return status === 200 && billed && (await isIdle());
};

const OK = [{ code: '204', key: '' }];
const REFUSING = expect.objectContaining({ status: 503, billed: false, replies: true });

describe('while the exchange takes no message', () => {
  it('that is missing at the start, the worker says so, answers, holds what it has stored, and goes on by itself', async () => {
    await until(async () => (await gauge('cdr_ingest_billed_exchange_refused')) === '1');
    expect(await readiness()).toEqual(REFUSING);
    expect(await site.submit({ uniqueid: 'missing' })).toEqual(OK);
    await worker.logged('returning deliveries to the broker until the exchange of billed calls takes them');
    await until(async () => (await broker.depth('cdrs.create')) === 1);
    expect(await gauge('cdr_ingest_paused')).toBe('1');
    await declare();
    await until(async () => toldOf('missing').some(({ repeat }) => repeat));
    await until(isReadyAgain);
    await until(async () => (await gauge('cdr_ingest_paused')) === '0');
    expect(refusals()).toBe(1);
    expect(await site.db.rows('select charged::text from cdrs')).toEqual([{ charged: '1.500000' }]);
  });

  it('because it was deleted, nothing is lost', async () => {
    await broker.channel.deleteExchange(EXCHANGE);
    expect(await site.submit({ uniqueid: 'deleted' })).toEqual(OK);
    await until(async () => (await gauge('cdr_ingest_billed_exchange_refused')) === '1');
    await declare();
    await until(() => toldOf('deleted').length > 0);
    await until(isReadyAgain);
    expect(refusals()).toBe(2);
  });

  it('because no queue is bound, a worker that is killed leaves its calls to the next one, which tells them as repeats', async () => {
    await broker.channel.unbindQueue(QUEUE, EXCHANGE, 'cdrs.billed.#');
    expect(await site.submit({ uniqueid: 'unbound' })).toEqual(OK);
    await until(async () => (await gauge('cdr_ingest_billed_exchange_refused')) === '1');
    worker.child.kill('SIGKILL');
    await worker.ended;
    await declare();
    worker = await startProcess(['worker'], { ...site.environment, HTTP_PORT: '0' });
    await until(() => toldOf('unbound').length > 0);
    await until(isIdle);
    expect(toldOf('unbound')).toEqual([expect.objectContaining({ charged: '1.5', repeat: true })]);
  });
});

describe('a billed message', () => {
  it('says everything about the call, and of a repeat the same as before', async () => {
    const call = { uniqueid: 'whole', cost: '12.50', taxes: 'VAT,fee', currency: 'EUR' };
    for (const _ of ['now', 'again']) expect(await site.submit(call)).toEqual(OK);
    await until(() => toldOf('whole').length === 2);
    const body = {
      uniqueid: 'whole',
      entry: null,
      customer: 1,
      charged: '16.810678',
      currency: 'USD',
      cost: '12.5',
      tax: '2.965823',
      call_currency: 'EUR',
      invoice: 10,
      invoice_cost: '12.5',
      invoice_tax: '2.965823',
      invoice_currency: 'EUR',
      terms: {
        system_rate: '1',
        currency_rate: '0.92',
        customer_rate: '1',
        invoice_rate: '0.92',
        taxes: [
          { id: 1, rate: '20', flat: '0', currency: null, currency_rate: null },
          { id: 3, rate: '0', flat: '0.4', currency: 'GBP', currency_rate: '0.79' },
        ],
      },
    };
    expect(toldOf('whole')).toEqual([
      { ...body, repeat: false },
      { ...body, repeat: true },
    ]);
    const [first, second] = told.slice(-2);
    expect(first?.fields.routingKey).toBe('cdrs.billed.call');
    expect(first?.properties).toMatchObject({
      messageId: 'call:whole',
      type: 'cdrs.billed.call',
      contentType: 'application/json',
      deliveryMode: 2,
      headers: { uniqueid: 'whole', repeat: false },
    });
    expect(second?.properties).toMatchObject({ messageId: 'call:whole', headers: { repeat: true } });
  });

  it('is published for a replayed dead letter, and for nothing that is not stored', async () => {
    expect(await site.submit({ uniqueid: 'asked', validation: 1 })).toEqual([{ code: '201', key: '' }]);
    const [refused] = await site.submit({ uniqueid: 'replayed', scustomer: 99, cost: '-2' });
    expect(refused?.code).toBe('400');
    const ids = await site.ids(`uniqueid = 'replayed'`);
    const { code } = await site.dead(['replay', ...ids, '--set', 'scustomer=1', '--why', 'wrong customer']);
    expect(code).toBe(0);
    await until(() => toldOf('replayed').length > 0);
    expect(toldOf('replayed')).toEqual([expect.objectContaining({ charged: '-2', repeat: false })]);
    const stored = await site.db.rows('select uniqueid from cdrs');
    const names = told.map(({ properties }) => String(properties.messageId));
    expect(new Set(names)).toEqual(new Set(stored.map(({ uniqueid }) => `call:${uniqueid}`)));
  });

  it('is published for each entry of a correction, so that the amounts of all add up to what was moved', async () => {
    const passwordHash = await hashPassword('right-commerce');
    await upsertUser(site.db.sql, { username: 'shop', role: 'commerce', passwordHash });
    const correct = (routingKey: string, messageId: string, more: object) => {
      const body = { auth_username: 'shop', auth_password: 'right-commerce', uniqueid: 'corrected', ...more };
      broker.channel.publish('cdrs', routingKey, Buffer.from(JSON.stringify(body)), { messageId });
    };
    await site.submit({ uniqueid: 'corrected', cost: '5' });
    for (let copy = 0; copy < 2; copy += 1) correct('cdrs.update', 'first', { cost: '3', customer: 2 });
    await until(() => toldOf('corrected').length === 5);
    // Its id is that of a call, which is nothing to whoever tells messages by their ids.
    correct('cdrs.void', 'corrected', {});
    await until(() => toldOf('corrected').length === 6);
    const entry = (name: string, customer: number, charged: string, repeat: boolean) =>
      expect.objectContaining({ entry: name, customer, charged, repeat });
    expect(toldOf('corrected').slice(1)).toEqual([
      entry('first#reversal', 1, '-5', false),
      entry('first', 2, '2.76', false),
      entry('first#reversal', 1, '-5', true),
      entry('first', 2, '2.76', true),
      entry('corrected', 2, '-2.76', false),
    ]);
    expect(told.at(-1)?.fields.routingKey).toBe('cdrs.billed.correction');
    expect(told.at(-1)?.properties).toMatchObject({
      messageId: 'correction:corrected',
      type: 'cdrs.billed.correction',
      headers: { uniqueid: 'corrected', entry: 'corrected', repeat: false },
    });
  });

  it('is not published of a call that has been pruned, which is answered all the same', async () => {
    const before = told.length;
    await site.db.execute(
      `insert into past_calls select uniqueid, fingerprint from cdrs where uniqueid = 'missing'`,
    );
    await site.db.execute(`delete from cdrs where uniqueid = 'missing'`);
    expect(await site.submit({ uniqueid: 'missing' })).toEqual(OK);
    await until(isIdle);
    expect(told).toHaveLength(before);
  });
});
