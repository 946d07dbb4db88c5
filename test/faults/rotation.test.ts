import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { until } from '../support/broker.ts';
import { type BrokerUser, brokerUser, documentedPermissions } from '../support/broker-users.ts';
import { expectFaultless, metricsOf, openSite, readiness, type Site } from '../support/faults.ts';
import { runInProcess } from '../support/in-process.ts';
import type { WorkerProcess } from '../support/worker.ts';

// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });

let site: Site;
const users = new Set<BrokerUser>();

beforeAll(async () => {
  site = await openSite('rotation', 4701);
  expect((await runInProcess(['topology'], { AMQP_URL: site.amqpUrl })).code).toBe(0);
});
afterEach(async () => {
  for (const user of users) await drop(user);
});
afterAll(() => site?.close());

async function newUser(): Promise<BrokerUser> {
  const user = await brokerUser(site.amqpUrl, documentedPermissions('worker'));
  users.add(user);
  return user;
}

async function drop(user: BrokerUser): Promise<void> {
  users.delete(user);
  await user.drop();
}

/** New calls, confirmed by the broker and not answered yet, so that workers have messages in hand. */
const moreCalls = () => site.calls.send(site.calls.make(400));

const workerAs = ({ amqpUrl }: BrokerUser) => site.worker({ AMQP_URL: amqpUrl });

/** What its metrics count of connections that it had and lost. */
async function lossesOf(worker: WorkerProcess): Promise<number> {
  const page = await metricsOf(worker);
  const counted = [...page.matchAll(/^cdr_ingest_connection_losses_total\{.*\} (\d+)$/gm)];
  return counted.reduce((sum, [, count]) => sum + Number(count), 0);
}

it('a worker with another user of the broker takes over while calls come, as k8s/README.md says: nothing is lost, doubled or interrupted', async () => {
  const old = await newUser();
  const before = await workerAs(old);
  const next = await newUser();
  await moreCalls();
  const after = await workerAs(next);
  await moreCalls();
  expect(await before.stop()).toBe(0);
  await moreCalls();
  await drop(old);
  await moreCalls();
  await site.allAnswered();
  expect((await readiness(after)).status).toBe(200);
  expect(await lossesOf(after)).toBe(0);
  await expectFaultless(site);
});

it('a worker whose user is deleted too early loses no call: its deliveries go to the others', async () => {
  const old = await newUser();
  const next = await newUser();
  const late = await workerAs(old);
  await workerAs(next);
  await moreCalls();
  await drop(old);
  await until(async () => (await readiness(late)).status === 503);
  expect(await lossesOf(late)).toBeGreaterThan(0);
  await moreCalls();
  await site.allAnswered();
  await expectFaultless(site);
});

it('a worker goes on when its password is changed under it, and is back with the new one after its restart', async () => {
  const user = await newUser();
  const worker = await workerAs(user);
  await site.calls.send(site.calls.make(20));
  await site.allAnswered();
  await user.changePassword();
  await site.calls.send(site.calls.make(20));
  await site.allAnswered();
  await user.disconnect();
  await worker.logged('ACCESS_REFUSED');
  await site.calls.send(site.calls.make(20));
  expect((await readiness(worker)).status).toBe(503);
  await worker.stop();
  await workerAs(user);
  await site.allAnswered();
  await expectFaultless(site);
});
