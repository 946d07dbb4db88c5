import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type RabbitServer, startRabbit } from '../../dev/stack.ts';
import { openConnection } from '../../src/broker/connect.ts';
import { declareTopology } from '../../src/broker/declare.ts';
import { defaultNames } from '../../src/broker/topology.ts';
import { outsider, until } from '../support/broker.ts';
import { expectFaultless, metric, openSite, readiness, type Site } from '../support/faults.ts';
import { startProxy } from '../support/proxy.ts';
import type { WorkerProcess } from '../support/worker.ts';

const SEED = 4301;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });

let rabbit: RabbitServer;
let site: Site;
let worker: WorkerProcess;

beforeAll(async () => {
  rabbit = await startRabbit();
  site = await openSite('rabbitmq', SEED, { rabbit });
  worker = await site.worker();
});
afterAll(async () => {
  await site?.close();
  await rabbit?.remove();
});

const isReady = async (of: WorkerProcess) => (await readiness(of)).status === 200;

it.each(['clean', 'hard'] as const)('a %s restart of RabbitMQ under load loses no message', async (mode) => {
  const load = site.calls.keepSending();
  await site.calls.moreAnswered(300);
  // The metrics of the alert CdrIngestDisconnected.
  const connected = () =>
    Promise.all(
      ['consume', 'consume given up', 'reply', 'results'].map((connection) =>
        metric(worker, `cdr_ingest_connected{connection="${connection}"}`),
      ),
    );
  expect(await connected()).toEqual([1, 1, 1, 1]);
  await rabbit.stop(mode);
  await until(async () => (await readiness(worker)).status === 503);
  await until(async () => (await connected()).every((up) => up === 0));
  expect((await readiness(worker)).parts).toEqual({ consuming: false, database: true, replies: true });
  await rabbit.start();
  await site.calls.moreAnswered(300);
  await load.stop();
  await site.allAnswered();
  expect(await isReady(worker)).toBe(true);
  await until(async () => (await connected()).every((up) => up === 1));
});

it('a queue that is deleted and redeclared is consumed again', async () => {
  const other = await outsider(site.amqpUrl);
  await other.channel.deleteQueue(defaultNames.queue);
  await other.close();
  await until(async () => !(await isReady(worker)));
  const opened = await openConnection({
    url: site.amqpUrl,
    name: 'operator',
    heartbeatSeconds: 10,
    connectTimeoutMs: 10_000,
  });
  if (opened.kind !== 'open') throw new Error(opened.problem);
  await declareTopology(opened.connection, defaultNames);
  await opened.connection.close();
  await until(() => isReady(worker));
  await site.calls.send(site.calls.make(100));
  await site.allAnswered();
});

it('during a memory or disk alarm no message is acknowledged without a confirmed reply, and work resumes by itself', async () => {
  expect(await worker.stop()).toBe(0);
  const messages = site.calls.make(300);
  await site.calls.send(messages);
  await rabbit.ctl(['set_vm_memory_high_watermark', '0.0001']);
  worker = await site.worker();
  await until(async () => (await metric(worker, 'cdr_ingest_troubles_total{cause="broker"}')) > 1);
  expect(site.calls.unanswered).toBe(messages.length);
  // After the kill everything is back in the queue, so nothing was acknowledged.
  await site.kill(worker);
  await until(async () => (await site.depth(defaultNames.queue)) === messages.length);
  await rabbit.ctl(['set_disk_free_limit', String(10 ** 15)]);
  await rabbit.ctl(['set_vm_memory_high_watermark', 'absolute', '1GB']);
  worker = await site.worker();
  await until(async () => (await metric(worker, 'cdr_ingest_troubles_total{cause="broker"}')) > 1);
  expect(site.calls.unanswered).toBe(messages.length);
  await rabbit.ctl(['set_disk_free_limit', '1MB']);
  await site.allAnswered();
});

it('a half-open connection is detected and replaced', async () => {
  expect(await worker.stop()).toBe(0);
  const proxy = await startProxy(site.amqpUrl);
  worker = await site.worker({ AMQP_URL: proxy.url(site.amqpUrl) });
  const load = site.calls.keepSending();
  await site.calls.moreAnswered(200);
  proxy.stall();
  // Two to three heartbeats of 10 s.
  await until(async () => !(await isReady(worker)), 60_000);
  proxy.resume();
  await until(() => isReady(worker));
  await load.stop();
  await site.allAnswered();
  expect(await worker.stop()).toBe(0);
  await proxy.close();
});

it('after all of these faults every call is stored and charged exactly once', async () => {
  await expectFaultless(site);
});
