import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Consumer,
  type ConsumerOptions,
  createConsumer,
  type Delivery,
} from '../../../src/broker/consumer.ts';
import { createPublisher } from '../../../src/broker/publisher.ts';
import type { SupervisedConnection } from '../../../src/broker/supervisor.ts';
import { type Outsider, outsider, quorumQueue, supervise, until } from '../../support/broker.ts';
import { startProxy } from '../../support/proxy.ts';
import {
  frame,
  nested,
  type RawProperties,
  type RawPublisher,
  rawPublisher,
  TEXT_PROPERTIES,
} from '../../support/raw-amqp.ts';
import { testServices } from '../../support/stack.ts';

// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const DEPTHS = [0, 1, 16, 17, 100, 5_000, 20_000];
const KINDS = ['table', 'array'] as const;
const BYTES = {
  nothing: Buffer.alloc(0),
  'a NUL': Buffer.from('a\0b'),
  'no UTF-8': Buffer.from([0x61, 0xff, 0xfe]),
  'half a character': Buffer.from([0x61, 0xc3]),
  'a surrogate': Buffer.from([0xed, 0xa0, 0x80]),
  'control characters': Buffer.from('\u001b]0;x\u0007\u009b'),
  'as much as there can be': Buffer.alloc(255, 0xff),
};

describe('a consumer of hostile messages', () => {
  let services: Awaited<ReturnType<typeof testServices>>;
  let other: Outsider;
  let stranger: RawPublisher;
  let supervised: SupervisedConnection;
  let consumer: Consumer;
  let received: Delivery[];
  let lost: string[];
  let queue = '';
  let turn = 0;

  function consume(options: Partial<ConsumerOptions> = {}): void {
    consumer = createConsumer(supervised, {
      queue,
      prefetch: 500,
      keepBytes: 10_000,
      onDelivery: (delivery) => received.push(delivery),
      onLost: (cause) => lost.push(cause),
      ...options,
    });
  }
  const ack = (deliveries: readonly Delivery[]) => {
    for (const delivery of deliveries) consumer.done(delivery);
    consumer.flush();
  };
  const send = (messages: { body: string | Buffer; properties?: RawProperties }[]) =>
    stranger.publish(
      messages.map(({ body, properties = {} }) => ({
        exchange: '',
        routingKey: Buffer.from(queue),
        body: Buffer.from(body),
        properties: { deliveryMode: 2, ...properties },
      })),
    );

  beforeAll(async () => {
    services = await testServices('guarded');
    other = await outsider(services.amqpUrl);
    stranger = await rawPublisher(services.amqpUrl);
  });
  afterAll(async () => {
    await stranger?.close();
    await other?.close();
    await services?.drop();
  });
  beforeEach(async () => {
    turn += 1;
    queue = `guarded.test.${turn}`;
    received = [];
    lost = [];
    await quorumQueue(other, queue, { 'x-delivery-limit': 1_000 });
    supervised = supervise(services.amqpUrl, { heartbeatSeconds: 1 });
  });
  afterEach(async () => {
    await consumer?.close();
    await supervised.stop();
    await other.apart((channel) => channel.deleteQueue(queue));
  });

  it('takes headers of any depth, marks those beyond the limit as unreadable, and keeps its connection', async () => {
    const cases = KINDS.flatMap((kind) => DEPTHS.map((depth) => ({ kind, depth })));
    consume();
    for (const { kind, depth } of cases) {
      const properties = { headers: nested(depth, kind), correlationId: Buffer.from(`${kind} ${depth}`) };
      await send([{ body: 'before' }, { body: 'hostile', properties }, { body: 'after' }]);
    }
    // The broker itself takes seconds for 20,000 levels.
    await until(() => received.length === 3 * cases.length, 90_000);
    const hostile = received.filter(({ body }) => body.toString() === 'hostile');
    expect(hostile.map(({ properties }) => properties.correlationId)).toEqual(
      cases.map(({ kind, depth }) => `${kind} ${depth}`),
    );
    expect(hostile.map(({ unreadable }) => unreadable !== undefined)).toEqual(
      cases.map(({ depth }) => depth > 16),
    );
    expect(received.filter(({ body, unreadable }) => body.length !== 7 && unreadable)).toEqual([]);
    ack(received);
    expect(lost).toEqual([]);
  });

  it.each(TEXT_PROPERTIES)('takes any bytes as %s', async (name) => {
    consume();
    await send(Object.values(BYTES).map((bytes) => ({ body: 'x', properties: { [name]: bytes } })));
    await until(() => received.length === Object.keys(BYTES).length);
    expect(received.filter(({ unreadable }) => unreadable !== undefined)).toEqual([]);
    ack(received);
    expect(lost).toEqual([]);
  });

  it('returns a correlation id as it came, whatever its bytes', async () => {
    const ids = [...Object.values(BYTES), Buffer.from('ordinary'), Buffer.from('é\u{1f600}')];
    consume();
    await send(ids.map((correlationId) => ({ body: 'x', properties: { correlationId } })));
    await until(() => received.length === ids.length);
    const publisher = createPublisher(supervised, { timeoutMs: 5_000, maxInFlight: 100 });
    await until(() => publisher.ready);
    const echoes = received.map(({ properties: { correlationId, correlationBytes } }) => ({
      exchange: '',
      routingKey: queue,
      body: Buffer.alloc(3_000, 'x'),
      properties: { correlationId: correlationBytes ?? correlationId ?? '', headers: { uniqueid: 'ü' } },
      mandatory: true,
    }));
    ack(received.splice(0));
    expect(await publisher.publishBatch(echoes)).toEqual(ids.map(() => ({ kind: 'confirmed' })));
    await until(() => received.length === ids.length);
    const again = received.map(({ properties }) =>
      Buffer.from(properties.correlationBytes ?? properties.correlationId ?? ''),
    );
    expect(again).toEqual(ids);
    publisher.close();
    ack(received);
    expect(lost).toEqual([]);
  });

  it('keeps the beginning of a body of 16 MiB and its length, and the next message is whole', async () => {
    const body = Buffer.alloc(16 * 1_048_576, 'x');
    consume();
    await send([{ body }, { body: 'next' }, { body: body.subarray(0, 10_000) }]);
    await until(() => received.length === 3);
    expect(received.map((delivery) => [delivery.bytes, delivery.body.length])).toEqual([
      [body.length, 10_001],
      [4, 4],
      [10_000, 10_000],
    ]);
    ack(received);
  });

  it('stops reading while too many bytes are in flight, keeps its connection, and goes on when they are acknowledged', async () => {
    const bodies = Array.from({ length: 100 }, () => ({ body: Buffer.alloc(10_000) }));
    await send(bodies);
    consume({ inFlightBytesMax: 50_000 });
    await until(() => received.length === 6);
    // Longer than a heartbeat of one second allows without a sign of life.
    const since = performance.now();
    await until(() => performance.now() - since > 4_000);
    expect([received.length, consumer.inFlightBytes, lost]).toEqual([6, 60_000, []]);
    for (let acked = 0; acked < 100; acked += 1) {
      await until(() => received.length > acked);
      ack(received.slice(acked, acked + 1));
    }
    expect([received.length, consumer.inFlightBytes, lost]).toEqual([100, 0, []]);
  });

  it('reports a connection lost over bytes that cannot be decoded, and comes back', async () => {
    const proxy = await startProxy(services.amqpUrl);
    await supervised.stop();
    supervised = supervise(proxy.url(services.amqpUrl));
    consume();
    await until(() => consumer.consuming);
    // A frame type that does not exist.
    proxy.say('server', frame(9, 1, Buffer.from('?')));
    await until(() => lost.length > 0);
    await until(() => consumer.consuming);
    await send([{ body: 'x' }]);
    await until(() => received.length === 1);
    ack(received);
    proxy.cut();
    await until(() => lost.length === 2);
    expect(lost).toEqual(['decoding', 'connection']);
    await until(() => consumer.consuming);
    await consumer.close();
    await supervised.stop();
    await proxy.close();
  });

  it('returns what is in flight, and stops, while it does not read', async () => {
    await send(Array.from({ length: 100 }, () => ({ body: Buffer.alloc(10_000) })));
    consume({ inFlightBytesMax: 50_000 });
    await until(() => received.length === 6);
    await consumer.returnAll();
    await until(async () => (await other.depth(queue)) === 100);
    received = [];
    consumer.resume();
    await until(() => received.length === 6);
    await consumer.stopConsuming();
    await consumer.close();
    await until(async () => (await other.depth(queue)) === 100);
    expect(lost).toEqual([]);
  });
});
