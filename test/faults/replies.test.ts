import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { outsider, until } from '../support/broker.ts';
import { expectFaultless, openSite, type Site } from '../support/faults.ts';
import { type Message, REPLIES } from '../support/switch.ts';

const SEED = 4501;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const RESULTS = 'cdrs.results';

/** The broker closes the connection (3.x) that publishes to it, or drops the reply. */
const poisonous = { replyTo: 'amq.rabbitmq.reply-to.x', isUnanswerable: true } as const;

let site: Site;
beforeAll(async () => {
  site = await openSite('replies', SEED);
  await Promise.all([site.worker(), site.worker()]);
});
afterAll(() => site?.close());

const repliesTo = (messages: readonly Message[]) =>
  messages.flatMap(({ correlationId }) => {
    const [first] = site.calls.heard(correlationId);
    return first ? [{ queue: first.queue, code: first.code }] : [];
  });

it('a reply queue that is gone costs no call: the reply is in cdrs.results', async () => {
  const gone = site.calls.make(50).map((message) => ({ ...message, replyTo: 'cdrs.reply.gone' }));
  await site.calls.send(gone);
  await site.allAnswered();
  expect(repliesTo(gone)).toEqual(gone.map(() => ({ queue: RESULTS, code: '204' })));
});

it('a reply queue that refuses, because it is full, holds nobody else up', async () => {
  const other = await outsider(site.amqpUrl);
  const full = 'cdrs.reply.full';
  await other.channel.assertQueue(full, { arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' } });
  await other.fill(full, 1);
  await other.close();
  const refused = site.calls.make(50).map((message) => ({ ...message, replyTo: full }));
  const good = site.calls.make(200);
  await site.calls.send([...refused, ...good]);
  await site.allAnswered();
  expect(repliesTo(refused)).toEqual(refused.map(() => ({ queue: RESULTS, code: '204' })));
  expect(repliesTo(good)).toEqual(good.map(() => ({ queue: REPLIES, code: '204' })));
});

it.each(['cdrs.create', 'cdrs.dead', 'cdrs.results'])('a reply_to that names %s is ignored', async (own) => {
  const steered = site.calls.make(10).map((message) => ({ ...message, replyTo: own }));
  await site.calls.send(steered);
  await site.allAnswered();
  expect(repliesTo(steered)).toEqual(steered.map(() => ({ queue: RESULTS, code: '204' })));
});

it('a reply_to that closes connections costs nobody else the reply', async () => {
  const hostile: Message[] = [];
  const good: Message[] = [];
  const mixed = site.calls.make(400).map((message, index) => {
    const isHostile = index % 20 === 0;
    const made = isHostile ? { ...message, ...poisonous } : message;
    (isHostile ? hostile : good).push(made);
    return made;
  });
  await site.calls.send(mixed);
  await until(() => repliesTo(good).length === good.length);
  expect(repliesTo(good)).toEqual(good.map(() => ({ queue: REPLIES, code: '204' })));
  // Theirs may be lost with the connection, or be in cdrs.results; their calls are stored.
  const ids = new Set(hostile.map(({ call }) => call.uniqueid));
  const stored = await site.rows('select uniqueid from cdrs');
  expect(stored.filter(({ uniqueid }) => ids.has(uniqueid ?? ''))).toHaveLength(ids.size);
  await site.allAnswered();
});

it('a direct reply among hostile ones arrives, there or in cdrs.results', async () => {
  const connection = await connect(site.amqpUrl);
  const channel = await connection.createConfirmChannel();
  const direct = new Set<string>();
  await channel.consume(
    'amq.rabbitmq.reply-to',
    (message) => direct.add(String(message?.properties.correlationId)),
    { noAck: true },
  );
  const [template] = site.calls.make(1);
  if (template === undefined) throw new Error('no call was made');
  const hostile = site.calls.make(20).map((message) => ({ ...message, ...poisonous }));
  const ids = Array.from({ length: 20 }, (_, index) => `direct-${index}`);
  const sending = site.calls.send([template, ...hostile]);
  for (const correlationId of ids) {
    const content = site.calls.bodyOf(template.call);
    channel.publish('cdrs', 'cdrs.create.m', content, { correlationId, replyTo: 'amq.rabbitmq.reply-to' });
  }
  await channel.waitForConfirms();
  await sending;
  await until(() => ids.every((id) => direct.has(id) || site.calls.heard(id).length > 0));
  await site.allAnswered();
  await connection.close();
});

it('a call that fails alone is parked and answered, and its neighbours are stored', async () => {
  // The largest negative balance there is: what is charged to it no longer fits its column.
  await site.rows(`update customers set balance = -999999999999999999999999.999999 where id = 3`);
  const messages = site.calls.make(300);
  const failing = messages.filter(({ call }) => call.customer === 3 && call.cost > 0n);
  expect(failing.length).toBeGreaterThan(3);
  await site.calls.send(messages);
  await site.allAnswered();
  for (const { correlationId } of failing)
    expect(site.calls.heard(correlationId)).toMatchObject([{ code: '400', key: '' }]);
  const others = messages.filter((message) => !failing.includes(message));
  expect(new Set(repliesTo(others).map(({ code }) => code))).toEqual(new Set(['204']));
  const failed = new Set(failing.map(({ call }) => call.uniqueid));
  const letters = await site.rows('select uniqueid, reason, status, error from dead_letters');
  const parked = { reason: 'failed', status: 'dead', error: 'number out of range (SQLSTATE 22003)' };
  const expected = [...failed].map((uniqueid) => ({ uniqueid, ...parked }));
  expect(letters).toHaveLength(expected.length);
  expect(letters).toEqual(expect.arrayContaining(expected));
  // With the balance back where it was, everything but those calls is as it should be.
  await site.rows('update customers set balance = -charged where id = 3');
  await expectFaultless(site, {
    lost: [...failed],
    deadLetters: expect.any(Array),
  });
});
