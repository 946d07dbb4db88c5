import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createConsumer, type Delivery } from '../../src/broker/consumer.ts';
import { outsider, supervise, until } from '../support/broker.ts';
import { expectFaultless, metricsOf, openSite, type Site, sampleOf } from '../support/faults.ts';
import {
  nested,
  type RawMessage,
  type RawProperties,
  type RawPublisher,
  rawPublisher,
  TEXT_PROPERTIES,
} from '../support/raw-amqp.ts';
import { REPLIES } from '../support/switch.ts';
import type { WorkerProcess } from '../support/worker.ts';

const SEED = 6101;
// Every wait has its own limit; the broker itself takes seconds for 20,000 levels.
vi.setConfig({ testTimeout: 300_000 });
const LIMIT_MS = 120_000;

const DEPTHS = [0, 1, 16, 100, 5_000, 20_000];
const KINDS = ['table', 'array'] as const;
const KEYS = { 'cdrs.create': 'cdrs.create.m', 'cdrs.dead': 'nowhere.m' };

const HOSTILE = {
  'a NUL': Buffer.from('a\0b'),
  'no UTF-8': Buffer.from([0x61, 0xff, 0xc3]),
  'control characters': Buffer.from('\u001b]0;x\u0007\u009b\u202e'),
  'as much as there can be': Buffer.alloc(255, 0xff),
};
const NUMBERS: RawProperties[] = [{ priority: 255 }, { timestamp: 2n ** 64n - 1n }, { timestamp: 0n }];

let site: Site;
let stranger: RawPublisher;
let worker: WorkerProcess;
let garbage = 0;

beforeAll(async () => {
  site = await openSite('strangers', SEED);
  stranger = await rawPublisher(site.amqpUrl);
  worker = await site.worker();
});
afterAll(async () => {
  await stranger?.close();
  await site?.close();
});

/** A call with a new uniqueid. */
function freshCall(): Buffer {
  const [message] = site.calls.make(1);
  if (message === undefined) throw new Error('no call was made');
  return site.calls.bodyOf(message.call);
}

/** A body that is refused before the credentials are checked. */
function freshGarbage(): Buffer {
  garbage += 1;
  return Buffer.from(`garbage ${garbage}`);
}

/** A call with the wrong password of a real user. */
function freshForgery(): Buffer {
  garbage += 1;
  const call = { auth_username: 'switch', auth_password: 'guess', uniqueid: `forged-${garbage}` };
  return Buffer.from(JSON.stringify({ ...call, machine: 'm', start: 1, scustomer: 1, cost: '1' }));
}

const resultCounts = async () => {
  const page = await metricsOf(worker);
  const count = (code: string) => sampleOf(page, `cdr_ingest_results_total{code="${code}"}`);
  return { stored: count('204'), refused: count('400'), forged: count('401') };
};
const losses = async () => {
  return (await metricsOf(worker))
    .split('\n')
    .filter((line) => /^cdr_ingest_consumer_losses_total.* [^0]/.test(line));
};

/** Sends honest calls at the same time; waits until everything is answered, and expects that no subscription was lost. */
async function sendAmongHonest(messages: readonly RawMessage[]): Promise<void> {
  const before = await resultCounts();
  const honest = site.calls.make(50);
  await Promise.all([stranger.publish(messages), site.calls.send(honest)]);
  await site.allAnswered(LIMIT_MS);
  const total = ({ stored, refused, forged }: typeof before) => stored + refused + forged;
  await until(
    async () => total(await resultCounts()) === total(before) + messages.length + honest.length,
    LIMIT_MS,
  );
  expect(await losses()).toEqual([]);
}

describe('hostile content in a message', () => {
  it.each(Object.entries(HOSTILE))('in any property costs other messages nothing: %s', async (_, bytes) => {
    const before = { ...(await resultCounts()), deadLetters: await deadLettersKept() };
    const properties: RawProperties[] = [...TEXT_PROPERTIES.map((name) => ({ [name]: bytes })), ...NUMBERS];
    const routed = Buffer.concat([Buffer.from('cdrs.create.'), bytes]).subarray(0, 255);
    const messages = [freshCall, freshGarbage, freshForgery].flatMap((body) => [
      ...properties.map((each) => ({
        routingKey: Buffer.from('cdrs.create.m'),
        body: body(),
        properties: each,
      })),
      { routingKey: routed, body: body(), properties: {} },
    ]);
    await sendAmongHonest(messages);
    // An unknown content_type is read as JSON.
    const each = messages.length / 3;
    const after = await resultCounts();
    expect([after.refused - before.refused, after.forged - before.forged]).toEqual([each, each]);
    expect((await deadLettersKept()) - before.deadLetters).toBe(2 * each);
  });

  it('in an unroutable routing key is kept, whatever the bytes', async () => {
    const before = await deadLettersKept();
    const messages = Object.values(HOSTILE).map((bytes) => ({
      routingKey: Buffer.concat([Buffer.from('nowhere.'), bytes]).subarray(0, 255),
      body: freshGarbage(),
      properties: { correlationId: bytes, replyTo: bytes, messageId: bytes, contentType: bytes },
    }));
    await sendAmongHonest(messages);
    expect((await deadLettersKept()) - before).toBe(messages.length);
  });

  it('in headers of any depth costs only its own message, in both queues', async () => {
    const cases = Object.entries(KEYS).flatMap(([queue, key]) =>
      KINDS.flatMap((kind) =>
        DEPTHS.map((depth) => ({ queue, key, kind, depth, id: `${queue} ${kind} ${depth}` })),
      ),
    );
    const isCall = ({ queue, depth }: { queue: string; depth: number }) =>
      queue === 'cdrs.create' && depth <= 16;
    const messages = cases.map((each) => ({
      routingKey: Buffer.from(each.key),
      body: isCall(each) ? freshCall() : freshGarbage(),
      properties: {
        headers: nested(each.depth, each.kind),
        correlationId: Buffer.from(each.id),
        replyTo: Buffer.from(REPLIES),
      },
    }));
    const before = await deadLettersKept();
    await sendAmongHonest(messages);
    await until(() => cases.every(({ id }) => site.calls.heard(id).length > 0), LIMIT_MS);
    const answers = cases.map(({ id }) => [id, site.calls.heard(id)[0]?.code, site.calls.heard(id)[0]?.key]);
    expect(answers).toEqual(cases.map((each) => [each.id, isCall(each) ? '204' : '400', '']));
    expect((await deadLettersKept()) - before).toBe(cases.filter((each) => !isCall(each)).length);
  });

  it('in a correlation id comes back with the reply byte for byte', async () => {
    const queue = 'cdrs.reply.bytes';
    const other = await outsider(site.amqpUrl);
    await other.channel.assertQueue(queue);
    const supervised = supervise(site.amqpUrl);
    const heard: Delivery[] = [];
    const consumer = createConsumer(supervised, {
      queue,
      prefetch: 100,
      keepBytes: 10_000,
      onDelivery: (delivery) => heard.push(delivery),
    });
    const ids = [...Object.values(HOSTILE), Buffer.from('an ordinary one'), Buffer.from('é\u{1f600}')];
    const replyTo = Buffer.from(queue);
    const messages = [freshCall, freshGarbage, freshForgery].flatMap((body) =>
      ids.flatMap((id) => [
        {
          routingKey: Buffer.from('cdrs.create.m'),
          body: body(),
          properties: { correlationId: id, replyTo },
        },
        { routingKey: Buffer.from('cdrs.create.m'), body: body(), properties: { messageId: id, replyTo } },
      ]),
    );
    await sendAmongHonest(messages);
    await until(() => heard.length === messages.length);
    const echoes = heard.map(({ properties: { correlationId, correlationBytes } }) =>
      Buffer.from(correlationBytes ?? correlationId ?? '').toString('hex'),
    );
    const sent = ids.flatMap((id) => Array.from({ length: 6 }, () => id.toString('hex')));
    expect(echoes.sort()).toEqual(sent.sort());
    for (const delivery of heard) consumer.done(delivery);
    await consumer.close();
    await Promise.all([supervised.stop(), other.close()]);
  });

  it('in headers that are too large is named in the reply', async () => {
    const rows = await site.rows(
      `select responses->0->>'message' as message from dead_letters where responses::text like '%headers%'`,
    );
    expect(rows.map(({ message }) => message)).toContain('invalid message headers: more than 16384 bytes');
  });

  it('has exactly one effect per message in the end', async () => {
    const answered = site.calls.make(1);
    await site.calls.send(answered);
    await site.allAnswered(LIMIT_MS);
    await expectFaultless(site, { deadLetters: expect.any(Array) });
  });
});

async function deadLettersKept(): Promise<number> {
  const [row] = await site.rows('select count(*)::text as count from dead_letters');
  return Number(row?.count);
}
