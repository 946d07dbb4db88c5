import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Outsider, outsider, until } from '../support/broker.ts';
import { expectFaultless, openSite, type Site } from '../support/faults.ts';
import { REPLIES } from '../support/switch.ts';

const SEED = 5101;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const DEPTH = 200_000;
const MEGABYTE = 1_048_576;

let site: Site;
let other: Outsider;
beforeAll(async () => {
  site = await openSite('bodies', SEED);
  other = await outsider(site.amqpUrl);
  await site.worker();
});
afterAll(async () => {
  await other?.close();
  await site?.close();
});

/** A valid call whose cost is replaced with `replacement`. */
function around(replacement: string): string {
  const [message] = site.calls.make(1);
  if (message === undefined) throw new Error('no call was made');
  return site.calls
    .bodyOf(message.call)
    .toString()
    .replace(/"cost":"[^"]*"/, replacement);
}

const hostile: [what: string, body: () => string | Buffer, key: string][] = [
  ['nothing', () => '', ''],
  ['no JSON', () => '{', ''],
  ['null', () => 'null', ''],
  ['a nest of arrays', () => '['.repeat(DEPTH), ''],
  ['a nest of objects as a value', () => around(`"cost":${'{"a":'.repeat(DEPTH)}1${'}'.repeat(DEPTH)}`), ''],
  ['bytes that are not UTF-8', () => Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), ''],
  ['UTF-16', () => Buffer.from(around('"cost":"1"'), 'utf16le'), ''],
  ['65 KiB', () => around(`"cost":"1","note":"${'x'.repeat(65 * 1024)}"`), ''],
  ['eight megabytes', () => Buffer.alloc(8 * MEGABYTE, 'x'), ''],
  ['a NUL in a number', () => around('"cost":"1\\u0000"'), 'cost'],
  [
    'a lone surrogate in its machine',
    () => around('"cost":"1"').replace('"machine":"m"', '"machine":"\\ud800"'),
    'machine',
  ],
  ['1e400', () => around('"cost":1e400'), 'cost'],
  ['a number of 50,000 digits', () => around(`"cost":${'9'.repeat(50_000)}`), 'cost'],
  ['a parameter twice', () => around('"cost":"1","cost":"2"'), 'cost'],
  ['a prototype', () => around('"__proto__":{"cost":"1"}'), '__proto__'],
];

it('a body that is not a call gets one reply, is kept once, and delays no other message', async () => {
  const sent = hostile.map(([what, body]) => ({ what, body: Buffer.from(body()) }));
  const made = [...site.calls.calls.keys()];
  const neighbours = site.calls.make(100);
  for (const { what, body } of sent)
    other.channel.publish('cdrs', 'cdrs.create.m', body, { correlationId: what, replyTo: REPLIES });
  await Promise.all([other.channel.waitForConfirms(), site.calls.send(neighbours)]);
  await site.allAnswered();
  await until(() => sent.every(({ what }) => site.calls.heard(what).length > 0));
  await expectFaultless(site, { lost: made, deadLetters: expect.any(Array) });
  // The worker is stopped, so no more replies come.
  const replies = sent.map(({ what }) => [
    what,
    ...site.calls.heard(what).map(({ code, key }) => `${code} ${key}`),
  ]);
  expect(replies).toEqual(hostile.map(([what, , key]) => [what, `400 ${key}`]));
  const deadLetters = await site.rows('select reason, status, deaths::text from dead_letters');
  expect(deadLetters).toEqual(sent.map(() => ({ reason: 'rejected', status: 'dead', deaths: '1' })));
});
