import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type OperatorPublisher, openOperatorPublisher } from '../../src/broker/operator-publisher.ts';
import { placeOrder } from '../../src/calls/order.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { block, workersGone } from '../support/blocker.ts';
import { until } from '../support/broker.ts';
import { faultless, metric, openSite, PASSWORD, type Site } from '../support/faults.ts';
import { type FaultProxy, type Side, startProxy } from '../support/proxy.ts';
import type { Message, SentCall } from '../support/switch.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });

let site: Site;
let proxy: FaultProxy;
let database: Database;
let operators: OperatorPublisher;
beforeAll(async () => {
  // No step may cost a message more than one delivery, and no lock may time out during a test.
  const environment = { DELIVERY_LIMIT: '1', STATEMENT_TIMEOUT_MS: '120000', LOCK_TIMEOUT_MS: '60000' };
  site = await openSite('correction-steps', 4711, { environment });
  proxy = await startProxy(site.amqpUrl);
  operators = await openOperatorPublisher({ urls: [site.amqpUrl] }, 'orders');
  const settings = { poolSize: 1, statementTimeoutMs: 20_000, connectTimeoutMs: 10_000 };
  database = openDatabase({ url: site.databaseUrl, applicationName: 'orders', ...settings });
});
afterAll(async () => {
  await operators?.close();
  await database?.close(5000);
  await site?.close();
  await proxy?.close();
});

const stored = async (count: number): Promise<Message[]> => {
  const messages = site.calls.make(count);
  await site.calls.send(messages);
  await site.allAnswered(60_000);
  return messages;
};
const callsOf = (messages: readonly Message[]) => [...new Set(messages.map(({ call }) => call))];
const idsOf = (messages: readonly Message[]) =>
  new Set(messages.map(({ correction }) => correction?.id ?? ''));
const booked = async () =>
  new Set(
    (await site.rows(`select id from corrections where kind <> 'attaching'`)).map(({ id }) => id ?? ''),
  );
const isAnswered = ({ correlationId }: Message) => site.calls.heard(correlationId).length > 0;

/** Corrections that a shop sends, and others that an operator orders. */
interface Asked {
  messages: readonly Message[];
  /** Ids of orders. */
  orders: readonly string[];
}

async function ask(messages: readonly Message[], ordered: readonly SentCall[]): Promise<Asked> {
  await site.calls.send(messages);
  const stop = new AbortController().signal;
  const orders = ordered.map(async ({ uniqueid }) => {
    const order = { id: randomUUID(), operation: 'update' as const, uniqueid, follows: '', operator: 'boss' };
    const more = { why: 'charged twice', program: 'command' as const, deadLetter: null };
    const context = { sql: database.sql, publish: operators.publish, patienceMs: 0, stop };
    await placeOrder({ ...order, ...more }, { cost: '0.25' }, context);
    return order.id;
  });
  return { messages, orders: await Promise.all(orders) };
}
const answersTo = async (orders: readonly string[]) =>
  (await site.rows(`select id, responses #>> '{0,code}' as code from correction_orders`)).flatMap(
    ({ id, code }) => (id && orders.includes(id) && code ? [code] : []),
  );

/** Balances, invoices and entries are proved; nothing but corrections may have been refused. */
async function expectProved(exits: number): Promise<void> {
  const { deadLetters, ...audit } = await site.audit();
  const { deadLetters: _, ...expected } = faultless;
  expect(audit).toEqual({ ...expected, exits: Array.from({ length: exits }, () => 0) });
  const others = await site.rows(
    `select reason, uniqueid, error from dead_letters where operation = 'create' or reason <> 'rejected'`,
  );
  expect(others).toEqual([]);
}

/** Has corrections sent and stops the worker at one step while it holds them. Returns how to clear the way again. */
type Halt = (
  worker: WorkerProcess,
  send: () => Promise<Asked>,
) => Promise<{ asked: Asked; clear: () => Promise<void> }>;

function atLock(statement: string): Halt {
  return async (_, send) => {
    const blocker = await block(site, statement);
    const asked = await send();
    await blocker.workerWaits();
    return { asked, clear: blocker.end };
  };
}

function atConnection(
  side: Side,
  name: string,
  isThere: (worker: WorkerProcess, asked: Asked) => Promise<boolean>,
): Halt {
  return async (worker, send) => {
    proxy.hold(side, `cdr-ingest ${name}`);
    const asked = await send();
    await until(() => isThere(worker, asked));
    const clear = async () => {
      proxy.cut();
      proxy.release();
    };
    return { asked, clear };
  };
}

const entriesOf = ({ messages, orders }: Asked) => [...idsOf(messages), ...orders];
const allBooked = async (_: WorkerProcess, asked: Asked) => {
  const ids = await booked();
  return entriesOf(asked).every((id) => ids.has(id));
};
const allAcknowledged = async (worker: WorkerProcess, { messages, orders }: Asked) =>
  messages.every(isAnswered) &&
  (await answersTo(orders)).length === orders.length &&
  (await metric(worker, 'cdr_ingest_in_flight_messages')) === 0;

/** Where a worker is killed, and whether everything is booked by then. */
const steps: [where: string, halt: Halt, left: 'nothing' | 'one at most' | 'all'][] = [
  ['before it has read their calls', atLock('lock table cdrs in access exclusive mode'), 'nothing'],
  // PostgreSQL does not notice the kill and finishes the statement; an order's is part of a transaction.
  ['inside of the statement that books', atLock('select from customers for update'), 'one at most'],
  ['after they are booked and before the reply', atConnection('client', 'reply', allBooked), 'all'],
  ['before the acknowledgement arrives', atConnection('client', 'consume', allAcknowledged), 'all'],
];

it.each(steps)('a worker killed while it holds corrections, %s, costs nothing', async (_, halt, left) => {
  const first = await site.worker({ AMQP_URL: proxy.url(site.amqpUrl) });
  const calls = callsOf(await stored(12));
  const messages = site.calls.correct(calls.slice(0, 6));
  const { asked, clear } = await halt(first, () => ask(messages, calls.slice(6)));
  await site.kill(first);
  await clear();
  await workersGone(site);
  const before = await booked();
  const entries = entriesOf(asked);
  const found = entries.filter((id) => before.has(id)).length;
  expect(found).toBeGreaterThanOrEqual(left === 'all' ? entries.length : 0);
  expect(found).toBeLessThanOrEqual(left === 'nothing' ? 0 : left === 'all' ? entries.length : 1);

  await site.worker();
  await site.allAnswered(60_000);
  await until(async () => (await answersTo(asked.orders)).length === asked.orders.length);
  // Nothing was acknowledged, so that each is delivered to this worker.
  await until(() =>
    messages.every(
      ({ correlationId, correction }) =>
        !before.has(correction?.id ?? '') ||
        site.calls.heard(correlationId).some(({ isDuplicate }) => isDuplicate),
    ),
  );
  for (const { correlationId } of messages)
    expect(new Set(site.calls.heard(correlationId).map(({ code }) => code))).toEqual(new Set(['204']));
  expect(new Set(await answersTo(asked.orders))).toEqual(new Set(['204']));
  const after = await booked();
  expect(entries.filter((id) => after.has(id))).toHaveLength(entries.length);
  await expectProved(1);
});

it('corrections of few calls by two workers, beside calls, attaching and an invoice that closes, are each booked once', async () => {
  const invoices = (ids: string) => `insert into invoices (id, customer, currency, period_start, period_end)
    select id, id % 10, 'USD', to_timestamp(1600000000), to_timestamp(1600001000) from unnest(array[${ids}]) as id`;
  await site.worker();
  await site.worker();
  const few = callsOf(await stored(60));
  await site.rows(invoices('11, 12, 13'));
  const corrections: Message[] = [];
  for (let round = 0; round < 4; round += 1) {
    // The broker gives one to each worker, so that both have the call in hand at once.
    const sent = few.flatMap((call) => site.calls.correct([call, call]));
    corrections.push(...sent);
    await Promise.all([site.calls.send(sent), site.calls.send(site.calls.make(40)), site.attach()]);
    if (round !== 1) continue;
    await site.rows(`update invoices set status = 'closed' where id in (11, 13)`);
    await site.rows(invoices('21'));
  }
  await site.allAnswered(60_000);
  await site.attach();

  const ids = await booked();
  for (const id of idsOf(corrections)) {
    const codes = corrections
      .filter(({ correction }) => correction?.id === id)
      .flatMap(({ correlationId }) => site.calls.heard(correlationId).map(({ code }) => code));
    expect(codes.includes('204'), `${id}: ${codes.join()}`).toBe(ids.has(id));
  }
  expect(ids.size).toBeGreaterThan(few.length);
  await expectProved(2);
});

it('a command that is killed while it attaches costs nothing, and the next one goes on', async () => {
  await site.worker();
  await stored(700);
  const late = async () =>
    Number(
      (await site.rows(`select count(*)::text as count from corrections where kind = 'attaching'`))[0]?.count,
    );
  const before = await late();
  const environment = { DATABASE_URL: site.databaseUrl, CDR_USERNAME: 'boss', CDR_PASSWORD: PASSWORD };
  const attaching = await startProcess(
    ['invoice', 'attach', '--all', '--why', 'late', '--yes', '--json'],
    environment,
  );
  await until(async () => (await late()) > before);
  attaching.child.kill('SIGKILL');
  await attaching.ended;
  await site.attach();
  const [left] = await site.rows(
    `select count(*)::text as calls from cdrs c where update_invoices = 1 and invoice is null and scustomer <> 3
       and not exists (select from corrections e where e.uniqueid = c.uniqueid and e.late_entry = '')`,
  );
  expect(left?.calls).toBe('0');
  await expectProved(1);
});
