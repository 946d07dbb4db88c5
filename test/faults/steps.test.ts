import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { block, workersGone } from '../support/blocker.ts';
import { until } from '../support/broker.ts';
import { expectFaultless, metric, openSite, type Site } from '../support/faults.ts';
import { type FaultProxy, type Side, startProxy } from '../support/proxy.ts';
import type { Message } from '../support/switch.ts';
import type { WorkerProcess } from '../support/worker.ts';

const SEED = 4701;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const CALLS = 20;
const INPUT = 'cdrs.create';

let site: Site;
let proxy: FaultProxy;
beforeAll(async () => {
  // No step may cost a message more than one delivery, and no lock may time out during a test.
  const environment = { DELIVERY_LIMIT: '1', STATEMENT_TIMEOUT_MS: '120000', LOCK_TIMEOUT_MS: '60000' };
  site = await openSite('steps', SEED, { environment });
  proxy = await startProxy(site.amqpUrl);
});
afterAll(async () => {
  await site?.close();
  await proxy?.close();
});

/** Sends the messages and stops the worker at one step while it holds them. Returns how to clear the way again. */
type Halt = (worker: WorkerProcess, messages: readonly Message[]) => Promise<() => Promise<void>>;

const beforeReading: Halt = async ({ child }, messages) => {
  child.kill('SIGSTOP');
  await site.calls.send(messages);
  await until(async () => (await site.depth(INPUT)) === 0);
  return async () => undefined;
};

function atLock(statement: string): Halt {
  return async (_, messages) => {
    const blocker = await block(site, statement);
    await site.calls.send(messages);
    await blocker.workerWaits();
    return blocker.end;
  };
}

/** Holds back everything that `side` sends on one of the worker's connections to the broker. */
function atConnection(
  side: Side,
  name: string,
  isThere: (worker: WorkerProcess, messages: readonly Message[]) => Promise<boolean>,
): Halt {
  return async (worker, messages) => {
    proxy.hold(side, `cdr-ingest ${name}`);
    await site.calls.send(messages);
    await until(() => isThere(worker, messages));
    return async () => {
      // What was held back must not arrive after its sender is gone.
      proxy.cut();
      proxy.release();
    };
  };
}

const original = (messages: readonly Message[]) =>
  messages.filter(({ correlationId }) => correlationId.endsWith('/0'));
const isStored = async ({ call }: Message) =>
  (await site.rows(`select uniqueid from cdrs where uniqueid = '${call.uniqueid}'`)).length > 0;
const isAnswered = ({ correlationId }: Message) => site.calls.heard(correlationId).length > 0;
const anyStored = (_: WorkerProcess, [first]: readonly Message[]) =>
  first === undefined ? Promise.resolve(false) : isStored(first);
const anyAnswered = async (_: WorkerProcess, messages: readonly Message[]) => messages.some(isAnswered);
const allAcknowledged = async (worker: WorkerProcess, messages: readonly Message[]) =>
  messages.every(isAnswered) && (await metric(worker, 'cdr_ingest_in_flight_messages')) === 0;

/** Where a worker is killed, and what it has done by then. */
const steps: [where: string, halt: Halt, left: { stored: boolean; answered: boolean }][] = [
  ['before it has read them', beforeReading, { stored: false, answered: false }],
  [
    'before it knows their sender',
    atLock('lock table users in access exclusive mode'),
    { stored: false, answered: false },
  ],
  [
    'when it knows their sender',
    atLock('lock table currencies in access exclusive mode'),
    { stored: false, answered: false },
  ],
  // PostgreSQL does not notice the kill and finishes the statement.
  [
    'inside of the transaction',
    atLock('select from customers for update'),
    { stored: true, answered: false },
  ],
  [
    'after the commit and before the reply',
    atConnection('client', 'reply', anyStored),
    { stored: true, answered: false },
  ],
  [
    'after the reply and before its confirm',
    atConnection('server', 'reply', anyAnswered),
    { stored: true, answered: true },
  ],
  [
    'after the confirm and before the acknowledgement arrives',
    atConnection('client', 'consume', allAcknowledged),
    { stored: true, answered: true },
  ],
];

it.each(steps)('a worker killed while it holds calls, %s, costs nothing', async (_, halt, left) => {
  const messages = original(site.calls.make(CALLS));
  const killed = await site.worker({ AMQP_URL: proxy.url(site.amqpUrl) });
  const clear = await halt(killed, messages);
  await site.kill(killed);
  await clear();
  await workersGone(site);

  const stored = new Set((await site.rows('select uniqueid from cdrs')).map(({ uniqueid }) => uniqueid));
  expect(stored.has(messages[0]?.call.uniqueid ?? '')).toBe(left.stored);
  expect(messages.some(isAnswered)).toBe(left.answered);
  // Nothing was acknowledged, so everything is delivered to the next worker.
  await until(async () => (await site.depth(INPUT)) === messages.length);
  await site.worker();
  await until(() =>
    messages.every(({ call, correlationId }) =>
      site.calls.heard(correlationId).some(({ isDuplicate }) => isDuplicate === stored.has(call.uniqueid)),
    ),
  );
  for (const { correlationId } of messages)
    expect(new Set(site.calls.heard(correlationId).map(({ code }) => code))).toEqual(new Set(['204']));
  await expectFaultless(site);
});

it('a connection that breaks after the commit and before the worker hears of it costs nothing', async () => {
  const way = await startProxy(site.databaseUrl);
  const worker = await site.worker({ DATABASE_URL: way.url(site.databaseUrl) });
  const messages = original(site.calls.make(CALLS));
  const blocker = await block(site, 'select from customers for update');
  await site.calls.send(messages);
  await blocker.workerWaits();
  way.hold('server');
  await blocker.end();
  await until(() => anyStored(worker, messages));
  way.cut();
  way.release();
  await site.allAnswered();
  const replies = site.calls.heard(messages[0]?.correlationId ?? '');
  expect(replies).toMatchObject([{ code: '204', isDuplicate: true }]);
  expect(await metric(worker, 'cdr_ingest_troubles_total{cause="outage"}')).toBeGreaterThan(0);
  await expectFaultless(site);
  await way.close();
});
