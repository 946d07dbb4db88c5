import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Consumer,
  type ConsumerOptions,
  createConsumer,
  type Delivery,
} from '../../../src/broker/consumer.ts';
import type { SupervisedConnection } from '../../../src/broker/supervisor.ts';
import {
  LIMIT_MS,
  type Outsider,
  outsider,
  quorumQueue,
  recordingLog,
  supervise,
  until,
} from '../../support/broker.ts';
import { type FaultProxy, startProxy } from '../../support/proxy.ts';
import { testServices } from '../../support/stack.ts';

describe('a consumer', () => {
  let services: Awaited<ReturnType<typeof testServices>>;
  let other: Outsider;
  let proxy: FaultProxy;
  let supervised: SupervisedConnection;
  let consumer: Consumer;
  let received: Delivery[];
  let log: ReturnType<typeof recordingLog>;
  let queue = '';
  let turn = 0;

  const bodies = () => received.map(({ body }) => body.toString());
  const ackAll = () => {
    for (const delivery of received) consumer.done(delivery);
    consumer.flush();
  };

  function consume(options: Partial<ConsumerOptions> = {}): void {
    const onDelivery = (delivery: Delivery) => received.push(delivery);
    consumer = createConsumer(supervised, { queue, prefetch: 100, keepBytes: 1_000, onDelivery, ...options });
  }

  beforeAll(async () => {
    services = await testServices('consumer');
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
    queue = `consumer.test.${turn}`;
    received = [];
    log = recordingLog();
    await quorumQueue(other, queue, { 'x-delivery-limit': 1_000 });
    supervised = supervise(proxy.url(services.amqpUrl), { log, heartbeatSeconds: 1 });
  });
  afterEach(async () => {
    proxy.resume();
    await consumer?.close();
    await supervised.stop();
    await other.apart((channel) => channel.deleteQueue(queue));
  });

  it('hands over what the queue holds, in order, and no more than its prefetch', async () => {
    await other.fill(queue, 150);
    consume();
    await until(() => received.length === 100);
    expect(bodies()).toEqual(Array.from({ length: 100 }, (_, i) => String(i)));
    expect([consumer.inFlight, consumer.state]).toEqual([100, 'consuming']);
    ackAll();
    await until(() => received.length === 150);
    ackAll();
    expect([consumer.inFlight, consumer.inFlightBytes]).toEqual([0, 0]);
    await consumer.close();
    expect(await other.depth(queue)).toBe(0);
  });

  it('leaves in the queue exactly what was not acknowledged, whatever is around it', async () => {
    await other.fill(queue, 10);
    consume();
    await until(() => received.length === 10);
    const kept = new Set([0, 4, 9]);
    for (const [index, delivery] of received.entries()) if (!kept.has(index)) consumer.done(delivery);
    consumer.flush();
    await consumer.close();
    await until(async () => (await other.depth(queue)) === 3);
    received = [];
    consume();
    await until(() => received.length === 3);
    expect(bodies()).toEqual(['0', '4', '9']);
    expect(received.every(({ redelivered, deaths }) => redelivered && deaths.redeliveries === 1)).toBe(true);
  });

  it('uses the rest of its prefetch window while some deliveries stay unacknowledged for long', async () => {
    const stuck: Delivery[] = [];
    // Six of ten places are taken. The other four are too few to be acknowledged for their number.
    const onDelivery = (delivery: Delivery) => {
      if (stuck.length < 6) stuck.push(delivery);
      else {
        received.push(delivery);
        consumer.done(delivery);
        consumer.flush();
      }
    };
    await other.fill(queue, 50);
    consume({ prefetch: 10, onDelivery });
    await until(() => received.length === 44);
    for (const delivery of stuck) consumer.done(delivery);
    consumer.flush();
    await consumer.close();
    expect(await other.depth(queue)).toBe(0);
  });

  it('sets a delivery aside to where its queue dead-letters to, and goes on', async () => {
    const aside = `${queue}.aside`;
    await quorumQueue(other, aside);
    await other.apart((channel) => channel.deleteQueue(queue));
    await quorumQueue(other, queue, { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': aside });
    await other.fill(queue, 5);
    consume();
    await until(() => received.length === 5);
    const [first, , third] = received;
    for (const delivery of [first, third]) if (delivery !== undefined) consumer.setAside(delivery);
    expect(consumer.inFlight).toBe(3);
    // Neither is acknowledged too, or delivered again.
    ackAll();
    expect(consumer.inFlight).toBe(0);
    await until(async () => (await other.depth(aside)) === 2);
    await consumer.close();
    expect(await other.depth(queue)).toBe(0);
    expect(log.lines.filter((line) => line.includes('lost'))).toEqual([]);
    await other.apart((channel) => channel.deleteQueue(aside));
  });

  it('keeps only the beginning of an oversized body, enough to show that it is too long', async () => {
    other.channel.sendToQueue(queue, Buffer.alloc(300_000, 'x'), {
      headers: { machine: 'sw1' },
      correlationId: '1',
    });
    consume();
    await until(() => received.length === 1);
    expect(received[0]?.bytes).toBe(300_000);
    expect(received[0]?.body.length).toBe(1_001);
    expect(received[0]?.properties).toEqual({
      contentType: null,
      replyTo: null,
      correlationId: '1',
      messageId: null,
      routingKey: queue,
    });
    ackAll();
  });

  it('drops acknowledgements for a channel that is gone, and the messages come again', async () => {
    await other.fill(queue, 5);
    consume();
    await until(() => received.length === 5);
    const first = [...received];
    proxy.cut();
    await until(() => received.length === 10);
    expect(first.some((delivery) => consumer.isLive(delivery))).toBe(false);
    for (const delivery of first) consumer.done(delivery);
    consumer.flush();
    expect(consumer.inFlight).toBe(5);
    ackAll();
    await consumer.close();
    expect(await other.depth(queue)).toBe(0);
    expect(log.lines.filter((line) => line.includes('channel of queue'))).toEqual([]);
  });

  it('subscribes again after its queue was deleted and declared again, and says what is missing meanwhile', async () => {
    consume();
    await until(() => consumer.consuming);
    await other.channel.deleteQueue(queue);
    await until(() => log.lines.some((line) => line.includes(`queue "${queue}" does not exist`)));
    expect(consumer.consuming).toBe(false);
    await quorumQueue(other, queue);
    await other.fill(queue, 3);
    await until(() => received.length === 3);
    ackAll();
  });

  it('notices a half-open connection by its heartbeat and consumes again within 30 s of the end', async () => {
    consume();
    await until(() => consumer.consuming);
    proxy.stall();
    await until(() => consumer.state === 'disconnected', 15_000);
    await other.fill(queue, 2);
    proxy.resume();
    await until(() => received.length === 2, 30_000);
    ackAll();
  });

  it('subscribes again when the handler of deliveries threw', async () => {
    let throwsLeft = 1;
    consume({
      onDelivery(delivery) {
        if (throwsLeft-- > 0) throw new Error('a fault of this program');
        received.push(delivery);
      },
    });
    await other.fill(queue, 3);
    await until(() => received.length >= 3 && consumer.inFlight === 3);
    expect(log.lines.some((line) => line.includes('a fault of this program'))).toBe(true);
    ackAll();
  });

  it('goes on when the listener of its state throws, and says so', async () => {
    await other.fill(queue, 1);
    consume({
      // With more, an acknowledgement might still wait for others when the connection is cut.
      prefetch: 1,
      onState() {
        throw new Error('a fault of this listener');
      },
    });
    await until(() => received.length === 1);
    ackAll();
    await consumer.stopConsuming();
    expect(consumer.state).toBe('paused');
    proxy.cut();
    await until(() => supervised.current === null);
    await other.fill(queue, 1);
    consumer.resume();
    await until(() => received.length === 2);
    ackAll();
    expect(log.lines.some((line) => line.includes('a fault of this listener'))).toBe(true);
  });

  it('reports the loss of a subscription, and none where nothing was subscribed', async () => {
    const lost: string[] = [];
    const reconnect = async () => {
      proxy.cut();
      await until(() => supervised.current === null);
      expect(await supervised.whenUp(LIMIT_MS)).toBe(true);
    };
    consume({ onLost: (cause) => lost.push(cause) });
    await until(() => consumer.consuming);
    await reconnect();
    expect(lost).toEqual(['connection']);
    await until(() => consumer.consuming);
    await consumer.stopConsuming();
    await reconnect();
    expect(lost).toEqual(['connection']);
    consumer.resume();
    await until(() => consumer.consuming);
    await other.channel.deleteQueue(queue);
    await until(() => log.lines.some((line) => line.includes(`queue "${queue}" does not exist`)));
    expect(lost).toEqual(['connection', 'cancelled']);
    await reconnect();
    expect(lost).toEqual(['connection', 'cancelled']);
  });

  it('keeps what is in flight while paused, and gets more when resumed', async () => {
    consume({ prefetch: 5 });
    await until(() => consumer.consuming);
    await other.fill(queue, 5);
    await until(() => received.length === 5);
    await consumer.stopConsuming();
    expect([consumer.state, consumer.inFlight]).toEqual(['paused', 5]);
    await other.fill(queue, 5);
    ackAll();
    consumer.resume();
    await until(() => received.length === 10);
    expect(received.some(({ redelivered }) => redelivered)).toBe(false);
    ackAll();
  });

  it('does what it was told while there was no connection', async () => {
    await other.fill(queue, 1);
    consume();
    await consumer.stopConsuming();
    await consumer.returnAll();
    expect(await supervised.whenUp(LIMIT_MS)).toBe(true);
    expect([consumer.state, received.length]).toEqual(['paused', 0]);
    proxy.cut();
    await until(() => supervised.current === null);
    consumer.resume();
    await until(() => received.length === 1);
    ackAll();
  });

  it('returns everything when told, takes nothing until resumed, and counts one delivery for each message', async () => {
    await other.fill(queue, 20);
    consume();
    await until(() => received.length === 20);
    for (const delivery of received.slice(0, 5)) consumer.done(delivery);
    await consumer.returnAll();
    await until(async () => (await other.depth(queue)) === 15);
    expect([consumer.inFlight, consumer.state]).toEqual([0, 'paused']);
    proxy.cut();
    await until(() => supervised.current === null);
    expect(await supervised.whenUp(LIMIT_MS)).toBe(true);
    expect(received).toHaveLength(20);
    consumer.resume();
    await until(() => received.length === 35);
    expect(received.slice(20).every(({ deaths }) => deaths.redeliveries === 1)).toBe(true);
    ackAll();
  });

  it('has nothing delivered twice after a drain under load, however few messages each frame acknowledged', async () => {
    const count = 20_000;
    consume({
      prefetch: 500,
      onDelivery(delivery) {
        received.push(delivery);
        // The first is slow, so that each later one is acknowledged by a frame of its own: the broker may still be working on
        // many of them when the channel is closed.
        if (received.length > 1) consumer.done(delivery);
        if (received.length % 3 === 0) consumer.flush();
      },
    });
    await other.fill(queue, count);
    await until(() => received.length >= count / 2);
    await consumer.stopConsuming();
    const handled = received.length;
    for (const slow of received.slice(0, 1)) consumer.done(slow);
    await consumer.close();
    expect(received).toHaveLength(handled);
    const onDelivery = (delivery: Delivery) => {
      received.push(delivery);
      consumer.done(delivery);
      consumer.flush();
    };
    consume({ onDelivery });
    await until(() => received.length >= count);
    await consumer.close();
    // Some may be marked as redelivered: those that were on their way when the subscription ended.
    expect(received).toHaveLength(count);
    expect(new Set(bodies()).size).toBe(count);
    expect(await other.depth(queue)).toBe(0);
  });
});
