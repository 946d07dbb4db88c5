import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createPublisher, type OutgoingMessage, type Publisher } from '../../../src/broker/publisher.ts';
import type { SupervisedConnection } from '../../../src/broker/supervisor.ts';
import { LIMIT_MS, type Outsider, outsider, quorumQueue, supervise, until } from '../../support/broker.ts';
import { type FaultProxy, startProxy } from '../../support/proxy.ts';
import { testServices } from '../../support/stack.ts';

function to(routingKey: string, body = 'x', more: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { exchange: '', routingKey, body: Buffer.from(body), properties: {}, mandatory: true, ...more };
}

/** RabbitMQ 4 adds a delivery count to every message. */
function without(name: string, headers: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).filter(([other]) => other !== name));
}

const confirmed = { kind: 'confirmed' };
const returned = { kind: 'returned', replyText: 'NO_ROUTE' };

describe('a publisher', () => {
  let services: Awaited<ReturnType<typeof testServices>>;
  let other: Outsider;
  let proxy: FaultProxy;
  let supervised: SupervisedConnection;
  let publisher: Publisher;
  let queue = '';
  let turn = 0;

  async function start(options: Partial<Parameters<typeof createPublisher>[1]> = {}, heartbeatSeconds = 1) {
    supervised = supervise(proxy.url(services.amqpUrl), { heartbeatSeconds });
    publisher = createPublisher(supervised, { timeoutMs: 5_000, maxInFlight: 100, ...options });
    expect(await supervised.whenUp(LIMIT_MS)).toBe(true);
  }

  beforeAll(async () => {
    services = await testServices('publisher');
    other = await outsider(services.amqpUrl);
    proxy = await startProxy(services.amqpUrl);
  });
  afterAll(async () => {
    await other?.close();
    await proxy?.close();
    await services?.drop();
  });
  beforeEach(async () => {
    turn += 1;
    queue = `publisher.test.${turn}`;
    await quorumQueue(other, queue);
  });
  afterEach(async () => {
    proxy.resume();
    proxy.delay(0);
    publisher.close();
    await supervised.stop();
  });

  it('confirms a batch larger than may be in flight, in order, with what each message carries', async () => {
    await start({ maxInFlight: 7 });
    const batch = Array.from({ length: 100 }, (_, i) =>
      to(queue, String(i), {
        properties: {
          contentType: 'application/json',
          correlationId: `c${i}`,
          headers: { uniqueid: `u${i}` },
        },
      }),
    );
    expect(await publisher.publishBatch(batch)).toEqual(batch.map(() => confirmed));
    expect(publisher.inFlight).toBe(0);
    const first = await other.channel.get(queue, { noAck: true });
    if (!first) throw new Error('nothing arrived');
    expect(first.content.toString()).toBe('0');
    expect(first.properties).toMatchObject({
      contentType: 'application/json',
      correlationId: 'c0',
      deliveryMode: 2,
      headers: { uniqueid: 'u0' },
    });
    expect(await other.depth(queue)).toBe(99);
  });

  it('gives each message its own headers and none of the one before it', async () => {
    await start();
    const sent = [{ uniqueid: 'u1', duplicate: true }, { uniqueid: 'u2' }, undefined, { traceparent: 't' }];
    const batch = sent.map((headers) => to(queue, 'x', { properties: headers ? { headers } : {} }));
    expect(await publisher.publishBatch(batch)).toEqual(batch.map(() => confirmed));
    for (const headers of sent) {
      const arrived = await other.channel.get(queue, { noAck: true });
      if (!arrived) throw new Error('nothing arrived');
      expect(without('x-delivery-count', arrived.properties.headers)).toEqual(headers ?? {});
    }
  });

  it('knows which messages of a batch were returned, whoever chose the message ids', async () => {
    await start();
    const own = { properties: { messageId: 'same for all' } };
    const results = await publisher.publishBatch([
      to(queue),
      to('nowhere'),
      to(queue, 'x', own),
      to('nowhere', 'x', { mandatory: false }),
      to('nowhere', 'x', { properties: { messageId: 'other' } }),
      to(queue, 'x'),
      to('nowhere'),
    ]);
    expect(results).toEqual([confirmed, returned, confirmed, confirmed, returned, confirmed, returned]);
    expect(await publisher.publish(to('nowhere', 'x', own))).toEqual(returned);
  });

  it('fails what a full queue nacks, and nothing else', async () => {
    await start();
    const full = `${queue}.full`;
    await quorumQueue(other, full, { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    // A quorum queue takes a few more before it is full.
    await until(async () => {
      const result = await publisher.publish(to(full));
      return result.kind === 'failed' && result.reason === 'nacked';
    });
    const results = await publisher.publishBatch([to(queue), to(full), to(queue)]);
    expect(results.map(({ kind }) => kind)).toEqual(['confirmed', 'failed', 'confirmed']);
  });

  it('fails at the deadline what is not confirmed, keeps to its limit, and goes on when confirms come', async () => {
    await start({ timeoutMs: 300, maxInFlight: 5 }, 30);
    proxy.stall();
    const started = performance.now();
    const results = await publisher.publishBatch(Array.from({ length: 20 }, () => to(queue)));
    expect(new Set(results.map((result) => result.kind === 'failed' && result.reason))).toEqual(
      new Set(['timeout']),
    );
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(publisher.inFlight).toBe(5);
    proxy.resume();
    await until(() => publisher.inFlight === 0);
    expect(await publisher.publish(to(queue))).toEqual(confirmed);
    // What timed out unsent stays unsent.
    expect(await other.depth(queue)).toBe(6);
  });

  it('abandons a connection on which nothing is confirmed any more', async () => {
    const timeoutMs = 1000;
    await start({ timeoutMs, maxInFlight: 5 }, 60);
    const first = supervised.current;
    proxy.stall();
    let waits = 0;
    await until(async () => {
      const started = performance.now();
      await publisher.publish(to(queue));
      if (performance.now() - started > timeoutMs / 2) waits += 1;
      return supervised.current !== first;
    });
    // In a worker these are 10 s each: a third would break the promise of 30 s.
    expect(waits).toBeLessThanOrEqual(2);
    proxy.resume();
    expect(await supervised.whenUp(LIMIT_MS)).toBe(true);
    expect(await publisher.publish(to(queue))).toEqual(confirmed);
  });

  it('abandons a connection on which everything is nacked, and keeps one on which anything is confirmed', async () => {
    const timeoutMs = 1500;
    await start({ timeoutMs, maxInFlight: 5 });
    const full = `${queue}.full`;
    await quorumQueue(other, full, { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    const first = supervised.current;
    const started = performance.now();
    while (performance.now() - started < 1.5 * timeoutMs) {
      await publisher.publishBatch([to(full), to(queue)]);
      expect(supervised.current).toBe(first);
    }
    await until(async () => {
      await publisher.publish(to(full));
      return supervised.current !== first;
    });
    expect(await supervised.whenUp(LIMIT_MS)).toBe(true);
    expect(await publisher.publish(to(queue))).toEqual(confirmed);
  });

  it('fails everything at once when the connection is cut, and publishes over the next', async () => {
    await start();
    proxy.delay(300);
    const sending = publisher.publishBatch(Array.from({ length: 300 }, () => to(queue)));
    proxy.cut();
    const results = await sending;
    expect(new Set(results.map((result) => result.kind === 'failed' && result.reason))).toEqual(
      new Set(['disconnected']),
    );
    proxy.delay(0);
    expect(publisher.ready).toBe(false);
    expect(await publisher.publish(to(queue))).toMatchObject({ kind: 'failed', reason: 'disconnected' });
    await until(() => publisher.ready);
    expect(await publisher.publish(to(queue))).toEqual(confirmed);
  });

  it('fails cleanly and comes back when an address makes the broker close the connection', async () => {
    await start();
    for (const key of ['amq.rabbitmq.reply-to.malformed', 'amq.rabbitmq.reply-to.g1h2AAAA.not==']) {
      const results = await publisher.publishBatch([to(key, 'x', { mandatory: false }), to(queue)]);
      for (const result of results)
        expect(result.kind === 'failed' ? result.reason : 'confirmed').toMatch(/^dis|^con/);
      await until(async () => (await publisher.publish(to(queue))).kind === 'confirmed');
    }
  });

  it('fails cleanly and comes back when an exchange does not exist', async () => {
    await start();
    const missing = to('key', 'x', { exchange: 'no.such.exchange' });
    const result = await publisher.publish(missing);
    expect(result).toMatchObject({ kind: 'failed', reason: 'refused' });
    expect(result.kind === 'failed' && result.detail).toContain('no.such.exchange');
    await until(() => publisher.ready);
    expect(await publisher.publish(to(queue))).toEqual(confirmed);
  });

  it('fails a message that cannot be encoded, and sends the others', async () => {
    await start();
    const results = await publisher.publishBatch([
      to(queue),
      to(queue, 'x', { properties: { correlationId: 'c'.repeat(256) } }),
      to(queue, 'x', { properties: { headers: { big: 'h'.repeat(70_000) } } }),
      to('nowhere'),
      to(queue),
    ]);
    expect(results.map((result) => (result.kind === 'failed' ? result.reason : result.kind))).toEqual([
      'confirmed',
      'unencodable',
      'unencodable',
      'returned',
      'confirmed',
    ]);
    expect(await publisher.publishBatch([])).toEqual([]);
  });
});
