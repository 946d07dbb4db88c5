import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hashPassword } from '../../src/auth/password.ts';
import { readConfig } from '../../src/config.ts';
import { upsertUser } from '../../src/store/users.ts';
import { startWorker, type Worker, workerVariables } from '../../src/worker/worker.ts';
import { ask } from '../support/asking.ts';
import { block } from '../support/blocker.ts';
import { outsider, until } from '../support/broker.ts';
import { sampleOf } from '../support/faults.ts';
import { type BillingDatabase, billingDatabase, minimal } from '../support/persisting.ts';
import { type FaultProxy, startProxy } from '../support/proxy.ts';

const PREFETCH = 5;
const UNREACHABLE = 'postgresql://u:p@127.0.0.1:9/none';

let db: BillingDatabase;
let proxy: FaultProxy;
beforeAll(async () => {
  db = await billingDatabase('worker-states');
  const passwordHash = await hashPassword('right');
  await upsertUser(db.sql, { username: 'switch', role: 'system', passwordHash });
  proxy = await startProxy(db.amqpUrl);
});
afterAll(async () => {
  await proxy?.close();
  await db?.drop();
});

interface Starting {
  worker: Promise<Worker>;
  page: () => Promise<string>;
  output: () => string;
  /** Status and parts of /readyz. */
  ready: () => Promise<[number, unknown]>;
  abort: () => void;
}

/** Starts a worker in this process and waits until it can be asked, not until it consumes. */
async function start(environment: Record<string, string>): Promise<Starting> {
  let output = '';
  const log = pino(
    { level: 'debug' },
    new Writable({
      write: (chunk, _, done) => {
        output += chunk;
        done();
      },
    }),
  );
  const urls = { DATABASE_URL: db.databaseUrl, AMQP_URL: proxy.url(db.amqpUrl), HTTP_PORT: '0' };
  const config = readConfig(workerVariables, { ...urls, ...environment });
  const starting = new AbortController();
  const worker = startWorker(config, log, starting.signal, {
    acceptsNewUniqueids: false,
    version: 'test',
    droppedLines: () => 0,
  });
  // A test that ends the waiting does not wait for it.
  worker.catch(() => undefined);
  const serving = /"port":(\d+),"msg":"serving/;
  await until(() => serving.test(output));
  const get = (path: string) => ask(`http://127.0.0.1:${serving.exec(output)?.[1]}${path}`);
  return {
    worker,
    page: async () => (await get('/metrics')).text(),
    output: () => output,
    ready: async () => {
      const response = await get('/readyz');
      return [response.status, await response.json()];
    },
    abort: () => starting.abort(),
  };
}

/** The gauges of a page, by sample, without those of Node. */
function statesOf(page: string): Record<string, number> {
  const gauges = new Set([...page.matchAll(/^# TYPE (cdr_ingest_\w+) gauge$/gm)].map(([, name]) => name));
  const samples = [...page.matchAll(/^((cdr_ingest_\w+)(?:\{.*\})?) (\S+)$/gm)];
  return Object.fromEntries(
    samples.flatMap(([, sample = '', name, value]) => (gauges.has(name) ? [[sample, Number(value)]] : [])),
  );
}

const WAITING = {
  cdr_ingest_in_flight_messages: 0,
  cdr_ingest_in_flight_bytes: 0,
  cdr_ingest_oldest_unsettled_seconds: 0,
  cdr_ingest_pool_waiting: 0,
  'cdr_ingest_consuming{queue="cdrs.create"}': 0,
  'cdr_ingest_consuming{queue="cdrs.dead"}': 0,
  'cdr_ingest_waiting_messages{queue="cdrs.create"}': 0,
  'cdr_ingest_waiting_messages{queue="cdrs.dead"}': 0,
  'cdr_ingest_connected{connection="consume"}': 0,
  'cdr_ingest_connected{connection="consume given up"}': 0,
  'cdr_ingest_connected{connection="reply"}': 0,
  'cdr_ingest_connected{connection="results"}': 0,
  'cdr_ingest_reply_exchange_refused{exchange="default"}': 0,
  'cdr_ingest_reply_exchange_refused{exchange="results"}': 0,
  cdr_ingest_billed_exchange_refused: 0,
  'cdr_ingest_build_info{version="test"}': 1,
};
const paused = (value: number) => ({
  'cdr_ingest_paused{queue="cdrs.create"}': value,
  'cdr_ingest_paused{queue="cdrs.dead"}': value,
});

it('a worker has answered made-up calls before it consumes, and counts none of them', async () => {
  const { worker, page, output } = await start({});
  const { consuming, stop } = await worker;
  await consuming;
  expect(output()).toMatch(/"replies":[1-9].*"warmed up".*"state":"subscribing"/s);
  expect(await page()).not.toMatch(/^cdr_ingest_(results_total|batch_messages_count).* [1-9]/m);
  await stop();
});

it('a worker that has never reached its database shows what it is not doing, and nothing that it does not know', async () => {
  const { page, ready, abort } = await start({ DATABASE_URL: UNREACHABLE });
  await until(async () => sampleOf(await page(), 'cdr_ingest_paused{queue="cdrs.create"}') === 1);
  expect(statesOf(await page())).toEqual({ ...WAITING, ...paused(1) });
  expect(await ready()).toEqual([503, { consuming: false, database: false, replies: true }]);
  abort();
});

it('a worker shows an outage of its broker from before the first connection on, and after the last', async () => {
  proxy.stall();
  const { worker, page, ready } = await start({ PREFETCH: String(PREFETCH) });
  const { stop } = await worker;
  const sample = async (name: string) => statesOf(await page())[name];
  const open = 'cdr_ingest_open_dead_letters{reason="failed"}';
  await until(async () => (await sample(open)) === 0);
  expect(statesOf(await page())).toMatchObject({ ...WAITING, ...paused(0) });
  expect(await sample('cdr_ingest_queue_messages{queue="cdrs.create"}')).toBeUndefined();
  expect(await ready()).toEqual([503, { consuming: false, database: true, replies: true }]);

  proxy.resume();
  const connected = 'cdr_ingest_connected{connection="consume"}';
  await until(async () => (await sample('cdr_ingest_consuming{queue="cdrs.create"}')) === 1);
  expect(await sample(connected)).toBe(1);

  const blocker = await block(db, 'lock table customers in exclusive mode');
  const other = await outsider(db.amqpUrl);
  const body = Buffer.from(JSON.stringify(minimal));
  for (let sent = 0; sent < PREFETCH + 2; sent += 1) other.channel.publish('cdrs', 'cdrs.create', body);
  await until(async () => (await sample('cdr_ingest_in_flight_messages')) === PREFETCH);
  expect(await sample('cdr_ingest_in_flight_bytes')).toBe(PREFETCH * body.length);
  expect(await sample('cdr_ingest_oldest_unsettled_seconds')).toBeGreaterThan(0);
  await until(async () => (await sample('cdr_ingest_queue_messages{queue="cdrs.create"}')) === 2);

  await proxy.close();
  await until(async () => (await sample(connected)) === 0);
  expect(statesOf(await page())).toMatchObject({ ...WAITING, [open]: 0 });
  expect(await sample('cdr_ingest_queue_messages{queue="cdrs.create"}')).toBeUndefined();
  const lost = 'cdr_ingest_connection_losses_total{connection="consume",cause="network"}';
  expect(sampleOf(await page(), lost)).toBe(1);
  expect((await ready())[0]).toBe(503);
  await blocker.end();
  await other.close();
  await stop();
});
