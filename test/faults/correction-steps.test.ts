import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { block, workersGone } from '../support/blocker.ts';
import { until } from '../support/broker.ts';
import { faultless, metric, openSite, PASSWORD, type Site } from '../support/faults.ts';
import { type FaultProxy, type Side, startProxy } from '../support/proxy.ts';
import type { Message } from '../support/switch.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });

let site: Site;
let proxy: FaultProxy;
beforeAll(async () => {
  // No step may cost a message more than one delivery, and no lock may time out during a test.
  const environment = { DELIVERY_LIMIT: '1', STATEMENT_TIMEOUT_MS: '120000', LOCK_TIMEOUT_MS: '60000' };
  site = await openSite('correction-steps', 4711, { environment });
  proxy = await startProxy(site.amqpUrl);
});
afterAll(async () => {
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

/** Sends corrections and stops the worker at one step while it holds them. Returns how to clear the way again. */
type Halt = (worker: WorkerProcess, messages: readonly Message[]) => Promise<() => Promise<void>>;

function atLock(statement: string): Halt {
  return async (_, messages) => {
    const blocker = await block(site, statement);
    await site.calls.send(messages);
    await blocker.workerWaits();
    return blocker.end;
  };
}

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
      proxy.cut();
      proxy.release();
    };
  };
}

const allBooked = async (_: WorkerProcess, messages: readonly Message[]) => {
  const ids = await booked();
  return [...idsOf(messages)].every((id) => ids.has(id));
};
const allAcknowledged = async (worker: WorkerProcess, messages: readonly Message[]) =>
  messages.every(isAnswered) && (await metric(worker, 'cdr_ingest_in_flight_messages')) === 0;

/** Where a worker is killed, and whether everything is booked by then. */
const steps: [where: string, halt: Halt, left: 'nothing' | 'the first' | 'all'][] = [
  ['before it has read their calls', atLock('lock table cdrs in access exclusive mode'), 'nothing'],
  // PostgreSQL does not notice the kill and finishes the statement.
  ['inside of the statement that books', atLock('select from customers for update'), 'the first'],
  ['after they are booked and before the reply', atConnection('client', 'reply', allBooked), 'all'],
  ['before the acknowledgement arrives', atConnection('client', 'consume', allAcknowledged), 'all'],
];

it.each(steps)('a worker killed while it holds corrections, %s, costs nothing', async (_, halt, left) => {
  const first = await site.worker({ AMQP_URL: proxy.url(site.amqpUrl) });
  const messages = site.calls.correct(callsOf(await stored(6)));
  const clear = await halt(first, messages);
  await site.kill(first);
  await clear();
  await workersGone(site);
  const before = await booked();
  const found = [...idsOf(messages)].filter((id) => before.has(id)).length;
  expect(found).toBe(left === 'nothing' ? 0 : left === 'all' ? idsOf(messages).size : 1);

  await site.worker();
  await site.allAnswered(60_000);
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
  expect([...idsOf(messages)].filter((id) => !before.has(id))).toHaveLength(idsOf(messages).size - found);
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
