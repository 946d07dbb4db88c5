import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BrokerError } from '../../src/broker/operator-publisher.ts';
import type { OutgoingMessage } from '../../src/broker/publisher.ts';
import { type OrderContext, placeOrder, placeThrough } from '../../src/calls/order.ts';
import { readCorrectionHeader } from '../../src/domain/correction-header.ts';
import { tokenHashOf } from '../../src/domain/replay-header.ts';
import { type Order, readOrder, readOrdersOf } from '../../src/store/calls/orders.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

let db: BillingDatabase;
const sent: OutgoingMessage[] = [];

beforeAll(async () => {
  db = await billingDatabase('correction-orders');
});

afterAll(async () => {
  await db?.drop();
});

const orderOf = (more: Partial<Order> = {}): Order => ({
  id: randomUUID(),
  operation: 'update',
  uniqueid: 'u-1',
  follows: '',
  operator: 'boss',
  why: 'a typo',
  program: 'command',
  deadLetter: null,
  ...more,
});

const contextOf = (more: Partial<OrderContext> = {}): OrderContext => ({
  sql: db.sql,
  publish: async (messages) => void sent.push(...messages),
  patienceMs: 0,
  stop: new AbortController().signal,
  ...more,
});

/** As a worker answers. */
const answer = (id: string, code: string) =>
  db.execute(`update correction_orders set responses = '[{"code": "${code}", "key": "", "message": "said"}]',
    answered_at = now() where id = '${id}'`);

describe('an order of an operator', () => {
  it('is on record when its message is sent, which has its id and a token that only this body fits', async () => {
    const order = orderOf();
    const onRecord: unknown[] = [];
    const publish = async (messages: readonly OutgoingMessage[]) => {
      onRecord.push(await readOrder(db.sql, order.id));
      sent.push(...messages);
    };
    expect(await placeOrder(order, { cost: '2' }, contextOf({ publish }))).toEqual({ kind: 'unanswered' });
    expect(onRecord).toMatchObject([{ ...order, responses: null, answeredAt: null }]);
    const message = sent.at(-1);
    expect(message).toMatchObject({ exchange: 'cdrs', routingKey: 'cdrs.update', mandatory: true });
    expect(message?.properties.messageId).toBe(order.id);
    expect(JSON.parse(String(message?.body))).toEqual({ uniqueid: 'u-1', cost: '2' });
    const header = readCorrectionHeader(message?.properties.headers?.['cdrs-correction']);
    expect(header?.order).toBe(order.id);
    const [row] = await db.rows(`select encode(seal, 'hex') as seal from correction_orders`);
    expect(row?.seal).toBe(tokenHashOf(header?.token ?? '', message?.body ?? Buffer.of()));
  });

  it('is sent once, however often its form is sent, and each time the answer is told', async () => {
    const order = orderOf({ operation: 'void', uniqueid: 'u-2' });
    const publish = async (messages: readonly OutgoingMessage[]) => {
      sent.push(...messages);
      await answer(order.id, '204');
    };
    sent.length = 0;
    const context = contextOf({ publish, patienceMs: 10_000 });
    const placed = await Promise.all([placeOrder(order, {}, context), placeOrder(order, {}, context)]);
    expect(placed).toEqual([{ kind: 'booked' }, { kind: 'booked' }]);
    expect(sent.map(({ routingKey }) => routingKey)).toEqual(['cdrs.void']);
  });

  it('tells why it was refused', async () => {
    const order = orderOf();
    const publish = async () => void (await answer(order.id, '400'));
    expect(await placeOrder(order, { cost: '1' }, contextOf({ publish }))).toEqual({
      kind: 'refused',
      responses: [{ code: '400', key: '', message: 'said' }],
    });
  });

  it('is not on record where there is no broker', async () => {
    const order = orderOf({ uniqueid: 'u-4' });
    const open = () => Promise.reject(new BrokerError('unreachable'));
    expect(await placeThrough(open, order, {}, contextOf())).toEqual({
      kind: 'not sent',
      problem: 'unreachable',
    });
    expect(await readOrdersOf(db.sql, 'u-4')).toEqual([]);
  });

  it('is withdrawn where the broker does not take it, and never answered twice', async () => {
    const order = orderOf({ uniqueid: 'u-3' });
    const publish = () => Promise.reject(new BrokerError('no broker'));
    expect(await placeOrder(order, { cost: '1' }, contextOf({ publish }))).toEqual({
      kind: 'not sent',
      problem: 'no broker',
    });
    expect(await readOrdersOf(db.sql, 'u-3')).toMatchObject([
      { id: order.id, responses: [{ code: '400', message: 'could not be sent, and was withdrawn' }] },
    ]);
    // A worker was faster than the broker's confirm.
    const other = orderOf({ uniqueid: 'u-3' });
    const late = async () => {
      await answer(other.id, '204');
      throw new BrokerError('not confirmed');
    };
    expect(await placeOrder(other, { cost: '1' }, contextOf({ publish: late }))).toEqual({ kind: 'booked' });
  });
});
