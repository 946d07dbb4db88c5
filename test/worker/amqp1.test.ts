import type { ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { toDelivery } from '../../src/broker/delivery.ts';
import { createReply } from '../../src/worker/reply.ts';
import { admitBytes, answersOf, messageOf } from '../domain/admitting.ts';
import { REPLY_RULES } from '../simulation/lane.ts';
import { NO_PROPERTIES } from '../support/requests.ts';

const CALL = '{"uniqueid":"a","auth_username":"switch","auth_password":"right"}';
const section = (start: string, text = CALL) => Buffer.concat([Buffer.from(start, 'hex'), Buffer.from(text)]);

describe('a body of AMQP 1.0 that is no single data section', () => {
  it.each([
    ['a text', section('005377a141'), 'an AMQP 1.0 value (amqp-value)'],
    ['a long text', section('005377b100000041'), 'an AMQP 1.0 value (amqp-value)'],
    ['bytes', section('005377a041'), 'an AMQP 1.0 value (amqp-value)'],
    ['a map', Buffer.from('005377c10702a10161a10162', 'hex'), 'an AMQP 1.0 value (amqp-value)'],
    ['nothing', Buffer.from('00537740', 'hex'), 'an AMQP 1.0 value (amqp-value)'],
    ['a list', Buffer.from('005376c0040153015302', 'hex'), 'an AMQP 1.0 sequence (amqp-sequence)'],
    ['an empty list', Buffer.from('00537645', 'hex'), 'an AMQP 1.0 sequence (amqp-sequence)'],
    ['two data sections', section('005375a001', '{\0SuA'), 'several AMQP 1.0 data sections'],
    [
      'a text whose code has eight bytes',
      section('00800000000000000077a141'),
      'an AMQP 1.0 value (amqp-value)',
    ],
  ])('is refused for what it is: %s', async (_, body, what) => {
    for (const contentType of [null, 'application/json', 'text/plain; charset=latin1']) {
      const admitted = await admitBytes(body, contentType);
      expect(answersOf(admitted)).toEqual(['400']);
      expect(messageOf(admitted)).toBe(`body is ${what}, expected a single data section`);
      expect(JSON.stringify(admitted.deadLetter())).not.toContain('right');
    }
  });

  it.each([
    ['a body that begins with 0', Buffer.from('0053', 'hex'), /JSON/],
    ['a section of another kind', Buffer.from('00537045', 'hex'), /JSON/],
    ['a long code that ends early', Buffer.from('00800000', 'hex'), /UTF-8/],
    ['UTF-16', Buffer.from('\0{\0}', 'latin1'), /JSON/],
  ])('is not seen in %s', async (_, body, message) => {
    expect(messageOf(await admitBytes(body))).toMatch(message);
  });
});

describe('a reply_to that is an address of AMQP 1.0', () => {
  const target = (replyTo: string) => {
    const { exchange, routingKey } = createReply(
      { ...NO_PROPERTIES, replyTo },
      'u',
      { kind: 'duplicate' },
      REPLY_RULES,
    );
    return `${exchange}/${routingKey}`;
  };
  const RESULTS = 'cdrs.results/cdrs.result.204';

  it.each([
    ['/queues/cdrs.reply.m-1', '/cdrs.reply.m-1'],
    ['/queues/cdrs.reply.m%2F1%20%C3%BC', '/cdrs.reply.m/1 ü'],
    ['/queue/cdrs.reply.m-1', '/cdrs.reply.m-1'],
    ['/amq/queue/cdrs.reply.m-1', '/cdrs.reply.m-1'],
    ['cdrs.reply.m%2F1', '/cdrs.reply.m%2F1'],
  ])('names its queue: %s', (replyTo, to) => {
    expect(target(replyTo)).toBe(to);
  });

  it.each([
    '/queues/cdrs.create',
    '/queues/cdrs%2Edead',
    '/queue/cdrs.results',
    '/queues/of-somebody-else',
    '/queues/cdrs.reply.%00',
    '/queues/%',
    '/queues/',
    '/queues//queues/cdrs.reply.m-1',
    '/exchanges/cdrs.reply.x/key',
    '/exchange/cdrs.reply.x',
    '/topic/cdrs.reply.x',
  ])('is judged by that name, like any other: %s', (replyTo) => {
    expect(target(replyTo)).toBe(RESULTS);
  });
});

describe('an id of AMQP 1.0 that is no short string', () => {
  const [BYTES, TEXT] = [Buffer.from([0xff, 0, 1]), 'i'.repeat(300)];
  const replyTo = (properties: object) => {
    const fields = { deliveryTag: 1, redelivered: false, exchange: 'cdrs', routingKey: 'cdrs.create' };
    const message = { content: Buffer.alloc(0), fields, properties } as unknown as ConsumeMessage;
    const { properties: request } = toDelivery(message, 1);
    return createReply(request, 'u', { kind: 'duplicate' }, REPLY_RULES);
  };

  it.each([
    ['a correlation id of bytes', { headers: { 'x-correlation-id': BYTES } }, BYTES, 'u'],
    ['a long correlation id', { headers: { 'x-correlation-id': TEXT } }, TEXT, 'u'],
    ['a message id of bytes', { headers: { 'x-message-id': BYTES } }, BYTES, 'u'],
    ['both', { headers: { 'x-correlation-id': BYTES, 'x-message-id': TEXT } }, BYTES, 'u'],
    ['the first only', { messageId: 'm', headers: { 'x-correlation-id': BYTES } }, BYTES, 'm'],
    ['the second only', { correlationId: 'c', headers: { 'x-message-id': BYTES } }, undefined, 'c'],
    ['a message id beside it', { messageId: 'm', headers: { 'x-message-id': BYTES } }, undefined, 'm'],
    ['a number', { headers: { 'x-correlation-id': 7 } }, undefined, 'u'],
    ['one of 2,000 bytes', { headers: { 'x-correlation-id': Buffer.alloc(2000) } }, undefined, 'u'],
  ])('comes back in the header that it came in: %s', (_, properties, header, correlationId) => {
    const reply = replyTo(properties);
    expect(reply.headers['x-correlation-id']).toEqual(header);
    expect(reply.correlationId).toBe(correlationId);
  });

  it('keeps nothing of what was read with it', () => {
    const read = Buffer.alloc(16_384);
    const reply = replyTo({ headers: { 'x-correlation-id': read.subarray(0, 8) } });
    expect((reply.headers['x-correlation-id'] as Buffer).buffer).not.toBe(read.buffer);
  });
});
