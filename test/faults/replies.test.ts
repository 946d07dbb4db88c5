import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { outsider, until } from '../support/broker.ts';
import {
  addressOfNoNode,
  closing,
  closingOnThree,
  type DirectSender,
  openDirectSender,
} from '../support/direct.ts';
import { expectFaultless, openSite, type Site } from '../support/faults.ts';
import { type Message, REPLIES } from '../support/switch.ts';

const SEED = 4501;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const RESULTS = 'cdrs.results';

/** RabbitMQ up to 4.1 closes the connection over each of these; later versions drop the reply. */
const hostileAddresses = Object.values({ ...closing, ...closingOnThree });
const hostileAt = (index: number) =>
  // Every second one has the form of a real address, a different one each time.
  index % 2 === 0
    ? addressOfNoNode(index)
    : (hostileAddresses[index % hostileAddresses.length] ?? addressOfNoNode(index));
const poisonous = (index: number) => ({ replyTo: hostileAt(index), isUnanswerable: true }) as const;

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

it('a reply to a queue that is gone goes to cdrs.results', async () => {
  const gone = site.calls.make(50).map((message) => ({ ...message, replyTo: 'cdrs.reply.gone' }));
  await site.calls.send(gone);
  await site.allAnswered();
  expect(repliesTo(gone)).toEqual(gone.map(() => ({ queue: RESULTS, code: '204' })));
});

it('a full reply queue that refuses messages delays no other reply', async () => {
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

it('a reply_to that makes the broker close the connection costs no other sender a reply', async () => {
  const hostile: Message[] = [];
  const good: Message[] = [];
  const mixed = site.calls.make(400).map((message, index) => {
    const isHostile = index % 20 === 0;
    const made = isHostile ? { ...message, ...poisonous(index) } : message;
    (isHostile ? hostile : good).push(made);
    return made;
  });
  await site.calls.send(mixed);
  await until(() => repliesTo(good).length === good.length);
  expect(repliesTo(good)).toEqual(good.map(() => ({ queue: REPLIES, code: '204' })));
  // Their replies may be lost with the connection, or be in cdrs.results, but their calls are stored.
  const ids = new Set(hostile.map(({ call }) => call.uniqueid));
  const stored = await site.rows('select uniqueid from cdrs');
  expect(stored.filter(({ uniqueid }) => ids.has(uniqueid ?? ''))).toHaveLength(ids.size);
  await site.allAnswered();
});

it('hostile direct reply addresses cost no honest direct reply, neither of a known sender nor of a new one', async () => {
  const template = site.calls.make(1);
  await site.calls.send(template);
  const [first] = template;
  if (first === undefined) throw new Error('no call was made');
  const known = await openDirectSender(site.amqpUrl);
  const newcomers: DirectSender[] = [];
  const ask = (sender: DirectSender, id: string) =>
    sender.publish('cdrs', 'cdrs.create.m', site.calls.bodyOf(first.call), id);
  const storm = await openStorm();
  try {
    await until(() => storm.sent > 50);
    const took: number[] = [];
    for (let round = 0; round < 100; round += 1) {
      const asked = performance.now();
      ask(known, `known-${round}`);
      if (round % 10 === 0) {
        const newcomer = await openDirectSender(site.amqpUrl);
        newcomers.push(newcomer);
        ask(newcomer, 'new');
      }
      await until(() => known.heard.has(`known-${round}`));
      took.push(performance.now() - asked);
    }
    await until(() => newcomers.every(({ heard }) => heard.has('new')));
    const median = took.sort((a, b) => a - b)[50];
    expect(median).toBeLessThan(500);
  } finally {
    await storm.stop();
  }
  await site.allAnswered();
  // None of these replies went to a queue.
  const ids = Array.from({ length: 100 }, (_, round) => `known-${round}`);
  expect([...ids, 'new'].flatMap((id) => site.calls.heard(id))).toEqual([]);
  await Promise.all([known, ...newcomers].map((sender) => sender.close()));
});

/** A hundred invalid messages a second, each with a different hostile reply_to. */
async function openStorm() {
  const other = await outsider(site.amqpUrl);
  let sent = 0;
  const sending = setInterval(() => {
    for (let burst = 0; burst < 5; burst += 1) {
      sent += 1;
      other.channel.publish('cdrs', 'cdrs.create.m', Buffer.from(`garbage ${sent % 10}`), {
        replyTo: hostileAt(sent),
      });
    }
  }, 50);
  return {
    get sent() {
      return sent;
    },
    stop: async () => {
      clearInterval(sending);
      await other.channel.waitForConfirms();
      await other.close();
    },
  };
}

it.each([
  ['a direct address without a suffix', 'amq.rabbitmq.reply-to.'],
  ['a queue of the broker that is not there', 'amq.gen-nobody'],
  ['an exchange', 'amq.topic'],
  ['an exchange of this system', 'cdrs'],
  ['nothing', ''],
  ['a NUL', 'amq.gen-a\0b'],
  ['as many bytes as there may be', 'amq.'.padEnd(255, 'x')],
  ['what becomes of bytes that are no UTF-8', `amq.${'\uFFFD'.repeat(83)}`],
])('a reply_to that is %s costs no other sender a reply', async (_, replyTo) => {
  const odd = site.calls.make(20).map((message) => ({ ...message, replyTo }));
  const good = site.calls.make(20);
  await site.calls.send([...odd, ...good]);
  await site.allAnswered();
  expect(repliesTo(odd)).toEqual(odd.map(() => ({ queue: RESULTS, code: '204' })));
  expect(repliesTo(good)).toEqual(good.map(() => ({ queue: REPLIES, code: '204' })));
});

it('a call that fails by itself becomes a dead letter and is answered, and the others of its batch are stored', async () => {
  // The lowest balance that fits the column: any further charge overflows it.
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
  const deadLetters = await site.rows(
    `select uniqueid, reason, status, error from dead_letters where reason = 'failed'`,
  );
  const parked = { reason: 'failed', status: 'dead', error: 'number out of range (SQLSTATE 22003)' };
  const expected = [...failed].map((uniqueid) => ({ uniqueid, ...parked }));
  expect(deadLetters).toHaveLength(expected.length);
  expect(deadLetters).toEqual(expect.arrayContaining(expected));
  // With the balance back where it was, everything but those calls is as it should be.
  await site.rows('update customers set balance = -charged where id = 3');
  await expectFaultless(site, {
    lost: [...failed],
    deadLetters: expect.any(Array),
  });
});
