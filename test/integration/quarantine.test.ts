import { afterAll, beforeAll, expect, it } from 'vitest';
import { openConnection } from '../../src/broker/connect.ts';
import { openSwitchClient } from '../../src/broker/switch-client.ts';
import { upsertUser } from '../../src/store/users.ts';
import { cheapHash } from '../support/password.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

let db: BillingDatabase;
let worker: WorkerProcess;

beforeAll(async () => {
  db = await billingDatabase('quarantine');
  await upsertUser(db.sql, {
    username: 'switch',
    role: 'system',
    passwordHash: await cheapHash('right-one'),
  });
  worker = await startProcess(['worker'], {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    HTTP_PORT: '0',
  });
  await worker.logged('"queue":"cdrs.dead","state":"consuming"');
});

afterAll(async () => {
  await worker?.stop();
  await db?.drop();
});

const call = (uniqueid: string) =>
  JSON.stringify({
    auth_username: 'switch',
    auth_password: 'right-one',
    uniqueid,
    machine: 'm',
    start: 1,
    scustomer: 1,
  });

it('keeps a call with a mistyped routing key as unroutable and says so', async () => {
  const client = await openSwitchClient([db.amqpUrl], 'cdrs', 30_000);
  const reply = await client.submitTo('cdr.create', { body: call('lost-1') });
  expect(reply.responses).toMatchObject([{ code: '400', key: '', message: expect.stringContaining('kept') }]);
  expect(await db.rows('select reason, status, uniqueid from dead_letters')).toEqual([
    { reason: 'unroutable', status: 'dead', uniqueid: 'lost-1' },
  ]);
  await client.close();
});

/** Sends a message as RabbitMQ 4 does that reached its delivery limit of 20, which anybody can forge; its reply. */
async function poisoned(body: string): Promise<unknown> {
  const opened = await openConnection({
    url: db.amqpUrl,
    name: 'test',
    heartbeatSeconds: 10,
    connectTimeoutMs: 10_000,
  });
  if (opened.kind !== 'open') throw new Error(opened.problem);
  const channel = await opened.connection.openConfirmChannel();
  const { queue } = await channel.assertQueue('cdrs.reply.poison', { exclusive: true });
  const { promise, resolve } = later<string>();
  await channel.consume(queue, (message) => resolve(message?.content.toString() ?? ''), { noAck: true });
  // With the count of the queue that it left.
  const headers = {
    'x-delivery-count': 21,
    'x-death': [
      {
        count: 1,
        reason: 'delivery_limit',
        queue: 'cdrs.create',
        exchange: 'cdrs',
        'routing-keys': ['cdrs.create'],
      },
    ],
  };
  channel.publish('', 'cdrs.dead', Buffer.from(body), { persistent: true, headers, replyTo: queue });
  const reply: unknown = JSON.parse(await promise);
  await opened.connection.close();
  return reply;
}

function later<Result>() {
  let resolve: (result: Result) => void = () => undefined;
  const promise = new Promise<Result>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

it('keeps what was delivered too often as poison first, then stores it and resolves the dead letter', async () => {
  expect(await poisoned(call('innocent-1'))).toEqual({
    responses: [{ code: '204', key: '', message: 'OK' }],
  });
  expect(
    await db.rows(`select reason, status, uniqueid from dead_letters where uniqueid = 'innocent-1'`),
  ).toEqual([{ reason: 'poison', status: 'resolved', uniqueid: 'innocent-1' }]);
  expect(await db.rows(`select uniqueid from cdrs`)).toEqual([{ uniqueid: 'innocent-1' }]);
});

it.each([
  ['only asks', 'asked', { validation: 1 }, '201', []],
  ['is refused', 'refused', { scustomer: 999 }, '400', ['rejected dead']],
  ['has a wrong password', 'forged', { auth_password: 'wrong' }, '401', ['unauthenticated dead']],
  [
    'only asks with a wrong password',
    'both',
    { auth_password: 'wrong', validation: 1 },
    '401',
    ['unauthenticated dead'],
  ],
])('never says that a poison message is resolved that %s', async (_name, uniqueid, more, code, others) => {
  const body = JSON.stringify({ ...JSON.parse(call(uniqueid)), ...more });
  expect(await poisoned(body)).toMatchObject({ responses: [{ code }] });
  const deadLetters = await db.rows(
    `select concat(reason, ' ', status) as state from dead_letters where uniqueid = '${uniqueid}' order by id`,
  );
  expect(deadLetters.map(({ state }) => state)).toEqual(['poison discarded', ...others]);
  expect(await db.rows(`select uniqueid from cdrs where uniqueid = '${uniqueid}'`)).toEqual([]);
});
