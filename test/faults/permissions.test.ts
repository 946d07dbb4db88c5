import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { outsider, until } from '../support/broker.ts';
import { type BrokerUser, brokerUser, documentedPermissions } from '../support/broker-users.ts';
import { openDirectSender } from '../support/direct.ts';
import { metric, openSite, readiness, type Site } from '../support/faults.ts';
import { testServices } from '../support/stack.ts';
import { type Message, REPLIES } from '../support/switch.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const RESULTS = 'cdrs.results';
const LEAST = documentedPermissions('worker');

/** Where a switch may not publish: directly to a queue, or in place of the worker. */
const FORBIDDEN = [
  ['', 'cdrs.create'],
  ['cdrs.dead', 'x'],
  ['cdrs.results', 'cdrs.result.204'],
] as const;

let site: Site;
let user: BrokerUser | undefined;
let worker: WorkerProcess | undefined;

beforeAll(async () => {
  site = await openSite('permissions', 4601);
  // A worker that may declare the topology runs once.
  await (await site.worker()).stop();
});
afterEach(async () => {
  await worker?.stop();
  await user?.drop();
  worker = undefined;
  user = undefined;
});
afterAll(() => site?.close());

async function workerThatMay(write: string): Promise<WorkerProcess> {
  user = await brokerUser(site.amqpUrl, { ...LEAST, write });
  worker = await site.worker({ AMQP_URL: user.amqpUrl });
  return worker;
}

const queuesOf = (messages: readonly Message[]) =>
  new Set(messages.flatMap(({ correlationId }) => site.calls.heard(correlationId).map(({ queue }) => queue)));
const refused = (of: WorkerProcess, exchange: string) =>
  metric(of, `cdr_ingest_reply_exchange_refused{exchange="${exchange}"}`);

it('a worker with exactly the permissions in docs/operations.md answers every kind of sender', async () => {
  const running = await workerThatMay(LEAST.write);
  const direct = await openDirectSender(site.amqpUrl);
  const named = site.calls.make(30);
  const nameless = site.calls.make(30).map((message) => ({ ...message, replyTo: '' }));
  await site.calls.send([...named, ...nameless]);
  const [first] = named;
  if (first === undefined) throw new Error('no call was made');
  direct.publish('cdrs', 'cdrs.create.m', site.calls.bodyOf(first.call), 'direct');
  await site.allAnswered();
  await until(() => direct.heard.has('direct'));
  expect(queuesOf(named)).toEqual(new Set([REPLIES]));
  expect(queuesOf(nameless)).toEqual(new Set([RESULTS]));
  expect((await readiness(running)).status).toBe(200);
  await direct.close();
});

it('without write permission on the default exchange every reply goes to cdrs.results, and the worker reports it', async () => {
  const running = await workerThatMay('^cdrs\\.results$');
  const direct = await openDirectSender(site.amqpUrl);
  const named = site.calls.make(100);
  const nameless = site.calls.make(100).map((message) => ({ ...message, replyTo: '' }));
  await site.calls.send([...named, ...nameless]);
  const [first] = named;
  if (first === undefined) throw new Error('no call was made');
  direct.publish('cdrs', 'cdrs.create.m', site.calls.bodyOf(first.call), 'diverted');
  await site.allAnswered();
  await until(() => site.calls.heard('diverted').length > 0);
  expect(queuesOf([...named, ...nameless])).toEqual(new Set([RESULTS]));
  expect(await refused(running, 'default')).toBe(1);
  expect(await refused(running, 'results')).toBe(0);
  expect(await metric(running, 'cdr_ingest_troubles_total{cause="broker"}')).toBe(0);
  expect(running.output().split('write permission on the default exchange').length - 1).toBe(1);
  // Calls are stored and answered, so the worker stays ready.
  expect((await readiness(running)).status).toBe(200);
  await direct.close();
});

it('a permission granted later takes effect within a minute', async () => {
  const running = await workerThatMay('^cdrs\\.results$');
  await site.calls.send(site.calls.make(5));
  await site.allAnswered();
  expect(await refused(running, 'default')).toBe(1);
  await user?.permit(LEAST);
  await until(async () => {
    const asking = site.calls.make(1);
    await site.calls.send(asking);
    await site.allAnswered();
    return queuesOf(asking).has(REPLIES);
  }, 60_000);
  expect(await refused(running, 'default')).toBe(0);
});

it('without write permission on cdrs.results calls whose reply goes there wait, other senders are answered, and /readyz reports it', async () => {
  const running = await workerThatMay('^amq\\.default$');
  const nameless = site.calls.make(20).map((message) => ({ ...message, replyTo: '' }));
  await site.calls.send(nameless);
  await until(async () => (await refused(running, 'results')) === 1);
  await until(async () => (await readiness(running)).status === 503);
  expect((await readiness(running)).parts).toEqual({ consuming: true, database: true, replies: false });
  expect(running.output()).toContain('the broker refuses replies to cdrs.results');
  expect(queuesOf(nameless)).toEqual(new Set());
  await user?.permit(LEAST);
  await site.allAnswered(30_000);
  expect(queuesOf(nameless)).toEqual(new Set([RESULTS]));
  await until(async () => (await readiness(running)).status === 200);
});

it('a switch with exactly the permissions in docs/operations.md gets replies in its queue and directly, and may do nothing else', async () => {
  await workerThatMay(LEAST.write);
  const switchUser = await brokerUser(site.amqpUrl, documentedPermissions('switch-1'));
  const nothingMore = await brokerUser(site.amqpUrl, { configure: '^$', write: '^cdrs$', read: '^$' });
  const [call] = site.calls.make(1);
  if (call === undefined) throw new Error('no call was made');
  await site.calls.send([call]);
  const body = site.calls.bodyOf(call.call);
  const answers: string[] = [];
  const own = await outsider(switchUser.amqpUrl);
  await own.channel.assertQueue('cdrs.reply.own', { exclusive: true });
  await own.channel.consume('cdrs.reply.own', () => answers.push('queue'), { noAck: true });
  own.channel.publish('cdrs', 'cdrs.create.m', body, { replyTo: 'cdrs.reply.own' });
  const plain = await outsider(nothingMore.amqpUrl);
  await plain.channel.consume('amq.rabbitmq.reply-to', () => answers.push('direct'), { noAck: true });
  plain.channel.publish('cdrs', 'cdrs.create.m', body, { replyTo: 'amq.rabbitmq.reply-to' });
  await until(() => answers.length === 2);
  expect(answers.sort()).toEqual(['direct', 'queue']);
  for (const sender of [own, plain]) {
    for (const [exchange, key] of FORBIDDEN) {
      const refusal = new Promise<string>((resolve) => {
        const asking = sender.apart(async (channel) => {
          channel.on('error', (error: Error) => resolve(error.message));
          channel.publish(exchange, key, Buffer.from('x'));
          // This answer would come after a refusal.
          await channel.checkExchange('amq.topic').then(() => resolve('taken'));
        });
        // The refusal closes its channel.
        asking.catch(() => undefined);
      });
      expect(await refusal).toContain('403');
    }
  }
  await Promise.all([own.close(), plain.close(), switchUser.drop(), nothingMore.drop()]);
});

it('topology needs exactly the permissions in docs/operations.md', async () => {
  const { amqpUrl, drop } = await testServices('setup');
  const setup = await brokerUser(amqpUrl, documentedPermissions('setup'));
  const command = await startProcess(['topology'], { AMQP_URL: setup.amqpUrl });
  expect({ code: await command.ended, output: command.output() }).toMatchObject({ code: 0 });
  const worker = await brokerUser(amqpUrl, LEAST);
  const check = await startProcess(['topology', '--check'], { AMQP_URL: worker.amqpUrl });
  expect({ code: await check.ended, output: check.output() }).toMatchObject({ code: 0 });
  await Promise.all([setup.drop(), worker.drop()]);
  await drop();
});
