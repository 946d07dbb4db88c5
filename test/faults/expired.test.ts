import { connect, type Options } from 'amqplib';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { until } from '../support/broker.ts';
import { expectFaultless, metric, openSite, type Site } from '../support/faults.ts';
import { type Message, REPLIES } from '../support/switch.ts';

const SEED = 6401;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const CALLS = 1000;

let site: Site;
beforeEach(async () => {
  site = await openSite('expired', SEED);
});
afterEach(() => site?.close());

async function publish(
  messages: readonly Message[],
  key: string,
  options: Options.Publish = {},
): Promise<void> {
  const connection = await connect(site.amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (const { call, correlationId } of messages)
    channel.publish('cdrs', key, site.calls.bodyOf(call), {
      persistent: true,
      correlationId,
      replyTo: REPLIES,
      ...options,
    });
  await channel.waitForConfirms();
  await connection.close();
}

const codesOf = ({ correlationId }: Message) => site.calls.heard(correlationId).map(({ code }) => code);
const areAnswered = (messages: readonly Message[]) => () => messages.every((one) => codesOf(one).length > 0);
const deadLetters = () => site.rows('select reason, status, error from dead_letters order by id');

it('calls that expired while no worker was running are stored in batches like any other call', async () => {
  // Declares the topology that the switch publishes to.
  expect(await (await site.worker()).stop()).toBe(0);
  const messages = site.calls.make(CALLS);
  await publish(messages, 'cdrs.create.m', { expiration: '1' });
  await until(async () => (await site.depth('cdrs.dead')) === messages.length);
  const worker = await site.worker();
  await until(areAnswered(messages), 20_000);
  expect(new Set(messages.flatMap(codesOf))).toEqual(new Set(['204']));
  expect(await metric(worker, 'cdr_ingest_batch_messages_count')).toBeLessThan(CALLS / 10);
  await expectFaultless(site);
});

it('an unroutable message is kept with its reason and routing key', async () => {
  await site.worker();
  const messages = site.calls.make(50);
  await publish(messages, 'cdr.create.\u001b[31m');
  await until(areAnswered(messages));
  expect(new Set(messages.flatMap(codesOf))).toEqual(new Set(['400']));
  const found = await deadLetters();
  expect(new Set(found.map(({ reason }) => reason))).toEqual(new Set(['unroutable']));
  expect(new Set(found.map(({ error }) => error))).toEqual(
    new Set(['published with the routing key "cdr.create.\uFFFD[31m", which no queue is bound to']),
  );
});

it.each([
  ['expired', []],
  ['maxlen', []],
  ['rejected', []],
  ['delivery_limit', ['poison']],
  ['nonsense', ['poison']],
])(
  'a forged x-death header with reason %s gains nothing, credentials are checked all the same',
  async (reason, kept) => {
    await site.worker();
    const headers = { 'x-death': [{ count: 1, reason, queue: 'cdrs.create', exchange: 'cdrs' }] };
    const [wrong, right] = site.calls.make(2);
    if (wrong === undefined || right === undefined) throw new Error('no calls were made');
    await publish([right], 'cdr.create', { headers });
    const connection = await connect(site.amqpUrl);
    const channel = await connection.createConfirmChannel();
    const forged = { ...JSON.parse(site.calls.bodyOf(wrong.call).toString()), auth_password: 'guessed' };
    channel.publish('cdrs', 'cdr.create', Buffer.from(JSON.stringify(forged)), {
      headers,
      correlationId: wrong.correlationId,
      replyTo: REPLIES,
    });
    await channel.waitForConfirms();
    await connection.close();
    await until(areAnswered([wrong, right]));
    expect([codesOf(wrong), codesOf(right)]).toEqual([['401'], ['204']]);
    expect(await site.rows('select uniqueid from cdrs')).toEqual([{ uniqueid: right.call.uniqueid }]);
    expect(await site.rows(`select distinct reason from dead_letters where reason = 'poison'`)).toEqual(
      kept.map((name) => ({ reason: name })),
    );
  },
);
