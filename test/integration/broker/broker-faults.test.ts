import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RabbitServer, startRabbit } from '../../../dev/stack.ts';
import { createConsumer, type Delivery } from '../../../src/broker/consumer.ts';
import { createPublisher } from '../../../src/broker/publisher.ts';
import { examineBroker } from '../../../src/commands/doctor/broker.ts';
import { outsider, quorumQueue, supervise, until } from '../../support/broker.ts';

/** These faults would hit every test on a shared broker. */
describe('on a broker in trouble', () => {
  let broker: RabbitServer;
  const queue = 'faults';

  beforeAll(async () => {
    broker = await startRabbit();
    const other = await outsider(broker.url);
    await quorumQueue(other, queue, { 'x-delivery-limit': 100 });
    await other.close();
  });
  afterAll(async () => {
    await broker?.remove();
  });

  it('an alarm blocks publishing until it ends, and consuming goes on', async () => {
    const alarms: (string | null)[] = [];
    const publishing = supervise(broker.url, { onBlocked: (reason) => void alarms.push(reason) });
    const consuming = supervise(broker.url);
    const publisher = createPublisher(publishing, { timeoutMs: 500, maxInFlight: 10 });
    let received = 0;
    const consumer = createConsumer(consuming, {
      queue,
      prefetch: 10,
      keepBytes: 100,
      onDelivery(delivery) {
        received += 1;
        consumer.done(delivery);
        consumer.flush();
      },
    });
    const message = {
      exchange: '',
      routingKey: queue,
      body: Buffer.from('x'),
      properties: {},
      mandatory: true,
    };
    await until(async () => (await publisher.publish(message)).kind === 'confirmed');
    await until(() => received === 1);

    await broker.ctl(['set_vm_memory_high_watermark', '0.000001']);
    await until(async () => {
      const result = await publisher.publish(message);
      return result.kind === 'failed' && result.reason === 'blocked';
    });
    expect([publisher.ready, consumer.consuming]).toEqual([false, true]);
    expect(alarms[0]).toMatch(/memory/);
    const blockedAt = performance.now();
    expect(await publisher.publish(message)).toMatchObject({ kind: 'failed', reason: 'blocked' });
    expect(performance.now() - blockedAt).toBeLessThan(400);
    // No management API tells of it.
    const checks = await examineBroker({
      ...{
        AMQP_URL: [broker.url],
        AMQP_TLS_CA: undefined,
        AMQP_TLS_CERT: undefined,
        AMQP_TLS_KEY: undefined,
      },
      ...{
        AMQP_MANAGEMENT_URL: 'http://127.0.0.1:9',
        DELIVERY_LIMIT: 20,
        SOURCES_FILE: '',
        BILLED_EXCHANGE: '',
      },
    });
    const of = (name: string) => checks.find(({ check }) => check === name);
    expect(of('alarms')).toMatchObject({
      state: 'failed',
      detail: expect.stringMatching(/: low on memory$/),
    });
    expect(of('permissions')).toMatchObject({ state: 'unknown', detail: expect.stringContaining('skipped') });
    expect(of('lag')?.detail).toContain('cdrs.create does not exist');

    await broker.ctl(['set_vm_memory_high_watermark', '0.8']);
    await until(() => publisher.ready);
    const before = received;
    expect(await publisher.publish(message)).toEqual({ kind: 'confirmed' });
    await until(() => received > before);
    expect(alarms.at(-1)).toBe(null);
    await consumer.close();
    publisher.close();
    await Promise.all([publishing.stop(), consuming.stop()]);
  });

  it('consumers and publishers work again within 30 s after a broker died and returned', async () => {
    const supervised = supervise(broker.url);
    const received: Delivery[] = [];
    const consumer = createConsumer(supervised, {
      queue,
      prefetch: 10,
      keepBytes: 100,
      onDelivery: (delivery) => received.push(delivery),
    });
    await until(() => consumer.consuming);
    await broker.stop('hard');
    await until(() => consumer.state === 'disconnected');
    await broker.start();
    await until(() => consumer.consuming, 30_000);
    const publishing = supervise(broker.url);
    const publisher = createPublisher(publishing, { timeoutMs: 5_000, maxInFlight: 10 });
    await until(() => publisher.ready);
    const message = {
      exchange: '',
      routingKey: queue,
      body: Buffer.from('x'),
      properties: {},
      mandatory: true,
    };
    await until(async () => (await publisher.publish(message)).kind === 'confirmed');
    await until(() => received.length > 0);
    for (const delivery of received) consumer.done(delivery);
    await consumer.close();
    publisher.close();
    await Promise.all([publishing.stop(), supervised.stop()]);
  });
});
