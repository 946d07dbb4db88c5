import { Client } from 'pg';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createConsumer } from '../../src/broker/consumer.ts';
import { supervise, until } from '../support/broker.ts';
import { expectFaultless, openSite, type Site } from '../support/faults.ts';

const SEED = 4401;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });

let site: Site;
beforeEach(async () => {
  site = await openSite('shutdown', SEED);
});
afterEach(() => site?.close());

/** How often each message left in the input queue was delivered before; all of them stay in it. */
async function deliveriesBefore(count: number): Promise<number[]> {
  const deliveries: number[] = [];
  const connection = supervise(site.amqpUrl);
  const consumer = createConsumer(connection, {
    queue: 'cdrs.create',
    prefetch: 20_000,
    keepBytes: 100,
    onDelivery: ({ deaths }) => deliveries.push(deaths.redeliveries),
  });
  await until(() => deliveries.length === count);
  await consumer.close();
  await connection.stop();
  return deliveries;
}

it('after SIGTERM under load a worker finishes what it holds and leaves the rest in the queue', async () => {
  const originals = site.calls.make(6000).filter(({ correlationId }) => correlationId.endsWith('/0'));
  const worker = await site.worker({ PREFETCH: '300', BATCH_SIZE: '100', SHUTDOWN_GRACE_MS: '25000' });
  const sent = site.calls.send(originals);
  await site.calls.moreAnswered(500);
  const asked = performance.now();
  expect(await worker.stop()).toBe(0);
  expect(performance.now() - asked).toBeLessThan(25_000);
  await sent;

  // What is not in the database is in the queue, and nothing is in both.
  const left = await site.depth('cdrs.create');
  const [stored] = await site.rows('select count(*)::text from cdrs');
  expect(left).toBeGreaterThan(0);
  expect(Number(stored?.count) + left).toBe(originals.length);
  // While a consumer is being cancelled, the queue may hand it a message that its channel then never sends (RabbitMQ
  // 3.10). The message returns with one delivery counted, and never more.
  expect(Math.max(...(await deliveriesBefore(left)))).toBeLessThanOrEqual(1);

  await site.worker();
  await site.allAnswered();
  await expectFaultless(site);
});

it('a second SIGTERM ends a stuck worker at once and loses nothing', async () => {
  const worker = await site.worker();
  const blocker = new Client({ connectionString: site.databaseUrl });
  await blocker.connect();
  await blocker.query('begin; lock table cdrs in exclusive mode');
  await site.calls.send(site.calls.make(200));
  await until(async () => {
    const { rows } = await blocker.query(`select from pg_locks where not granted`);
    return rows.length > 0;
  });
  worker.child.kill('SIGTERM');
  await worker.logged('"msg":"draining"');
  worker.child.kill('SIGTERM');
  expect(await worker.ended).toBe(1);
  expect(await site.rows('select uniqueid from cdrs')).toEqual([]);
  await blocker.end();

  await site.worker();
  await site.allAnswered();
  await expectFaultless(site);
});
