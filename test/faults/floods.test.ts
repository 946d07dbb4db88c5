import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { block } from '../support/blocker.ts';
import { type Outsider, outsider, until } from '../support/broker.ts';
import { expectFaultless, metric, openSite, type Site } from '../support/faults.ts';
import { WORKER_NODE_OPTIONS } from '../support/node-options.ts';
import { entry, long, type RawMessage, type RawPublisher, rawPublisher } from '../support/raw-amqp.ts';
import type { WorkerProcess } from '../support/worker.ts';

const SEED = 7101;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 300_000 });
const LIMIT_MS = 200_000;

/** The limit that docs/operations.md promises for any input, with Node's options of the manifest. */
const RSS_MAX_KIB = 512 * 1024;
const MEBIBYTE = 1_048_576;
const LARGEST = 65_536;

const key = Buffer.from('cdrs.create.m');
const json = { contentType: Buffer.from('application/json'), deliveryMode: 2 };
const form = { ...json, contentType: Buffer.from('application/x-www-form-urlencoded') };
const headers = entry('h', 'x', Buffer.concat([long(120_000), Buffer.alloc(120_000, 'h')]));

/** Bodies of this size, all different. */
function filled(byte: number, size: number) {
  return (index: number) => {
    const body = Buffer.alloc(size, byte);
    body.writeUInt32BE(0x10000 + index, size - 4);
    return body;
  };
}

const wrong = (index: number, rest = '') =>
  `"auth_username":"nobody-${index}","auth_password":"guess","uniqueid":"f-${index}"${rest}`;

const TEXTS = [
  'stype',
  'snumber',
  'sname',
  'ctype',
  'cnumber',
  'dtype',
  'dnumber',
  'callid',
  'channel',
  'note',
  'recording',
];
const known = (kind: string, index: number) =>
  `auth_username=switch&auth_password=right-one&uniqueid=${kind}-${index}&machine=m&start=1&cost=1`;

const floods: [what: string, count: number, make: (index: number) => Omit<RawMessage, 'routingKey'>][] = [
  ['the largest bodies of \\x01', 2000, (i) => ({ body: filled(1, LARGEST)(i), properties: json })],
  ['the largest bodies of \\xff', 2000, (i) => ({ body: filled(0xff, LARGEST)(i), properties: json })],
  [
    'calls of unknown customers, of control characters',
    1000,
    (i) => ({
      body: Buffer.from(`${known('c', i)}&scustomer=999999&note=${'\x01'.repeat(60_000)}`),
      properties: form,
    }),
  ],
  [
    'calls of the longest texts of control characters, which are stored',
    1000,
    (i) => ({
      body: Buffer.from(
        `${known('t', i)}&scustomer=1&update_balance=0&${TEXTS.map((name) => `${name}=${'\x01'.repeat(4096)}`).join('&')}`,
      ),
      properties: form,
    }),
  ],
  [
    'the largest calls of nobody',
    2000,
    (i) => ({
      body: Buffer.from(`{${wrong(i, `,"callerid":"${'é'.repeat(32_000)}"`)}}`),
      properties: json,
    }),
  ],
  ['bodies of 16 MiB', 40, (i) => ({ body: filled(0x41, 16 * MEBIBYTE)(i), properties: json })],
  [
    'headers of 120 kB',
    2000,
    (i) => ({ body: Buffer.from(`{${wrong(i)}}`), properties: { ...json, headers } }),
  ],
  [
    'forms of many names',
    2000,
    (i) => ({
      body: Buffer.from(`n${i}=1&${Array.from({ length: 9000 }, (_, n) => `n${n}=`).join('&')}`),
      properties: form,
    }),
  ],
];

let site: Site;
let other: Outsider;
let stranger: RawPublisher;
let worker: WorkerProcess;

beforeAll(async () => {
  site = await openSite('floods', SEED);
  other = await outsider(site.amqpUrl);
  stranger = await rawPublisher(site.amqpUrl);
  worker = await site.worker({ NODE_OPTIONS: WORKER_NODE_OPTIONS });
});
afterAll(async () => {
  await stranger?.close();
  await other?.close();
  await site?.close();
});

const answered = async () => {
  const counts = ['204', '400', '401'].map((code) =>
    metric(worker, `cdr_ingest_results_total{code="${code}"}`),
  );
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
};
const peakKib = () => {
  const status = readFileSync(`/proc/${worker.child.pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]);
};

it.each(floods)(
  'a flood of %s is answered and kept in bounded memory, and honest calls are too',
  async (what, count, make) => {
    const before = await answered();
    // Resets the peak (VmHWM).
    writeFileSync(`/proc/${worker.child.pid}/clear_refs`, '5');
    const honest = site.calls.make(20);
    // Nothing can be persisted at first, so that the worker holds as much as it may.
    const blocker = await block(site, 'lock table cdrs, dead_letters in exclusive mode');
    const sending = (async () => {
      for (let sent = 0; sent < count; sent += 20) {
        const messages = Array.from({ length: Math.min(20, count - sent) }, (_, index) => make(sent + index));
        await stranger.publish(messages.map((message) => ({ ...message, routingKey: key })));
      }
    })();
    await until(
      async () => (await metric(worker, 'cdr_ingest_in_flight_messages')) >= Math.min(count, 100),
      LIMIT_MS,
    );
    await blocker.workerWaits();
    await blocker.end();
    await Promise.all([sending, site.calls.send(honest)]);
    await site.allAnswered(LIMIT_MS);
    await until(async () => (await answered()) === before + count + honest.length, LIMIT_MS);
    process.stderr.write(`${what}: ${Math.round(peakKib() / 1024)} MiB\n`);
    expect(peakKib()).toBeLessThan(RSS_MAX_KIB);
  },
);

it('in the end every message has had exactly one effect', async () => {
  await expectFaultless(site, { deadLetters: expect.any(Array), strange: expect.any(Array) });
});
