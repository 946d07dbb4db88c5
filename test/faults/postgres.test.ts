import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { type PostgresServer, startPostgres } from '../../dev/stack.ts';
import { until } from '../support/broker.ts';
import { expectFaultless, metric, openSite, readiness, type Site } from '../support/faults.ts';
import { startProxy } from '../support/proxy.ts';
import type { WorkerProcess } from '../support/worker.ts';

const SEED = 4201;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const PAUSED = 'cdr_ingest_paused{queue="cdrs.create"}';
/** With this limit a message that a worker returns even once would be quarantined. */
const environment = { DELIVERY_LIMIT: '1', STATEMENT_TIMEOUT_MS: '1000' };

let postgres: PostgresServer;
let site: Site;
let workers: WorkerProcess[];

beforeAll(async () => {
  postgres = await startPostgres();
  site = await openSite('postgres', SEED, { postgres, environment });
  workers = await Promise.all([site.worker(), site.worker()]);
});
afterAll(async () => {
  await site?.close();
  await postgres?.remove();
});
afterEach(async () => {
  expect(await site.rows('select reason, uniqueid from dead_letters')).toEqual([]);
});

async function expectReady(): Promise<void> {
  for (const worker of workers) {
    await until(async () => (await readiness(worker)).status === 200);
    expect(await metric(worker, PAUSED)).toBe(0);
  }
}

/** Causes a fault under load, waits until both workers have noticed, ends it, and waits for every reply. */
async function during(fault: () => Promise<void>, end: () => Promise<void>, database = false): Promise<void> {
  const load = site.calls.keepSending();
  await site.calls.moreAnswered(200);
  await fault();
  try {
    for (const worker of workers) {
      await until(async () => (await metric(worker, PAUSED)) === 1);
      expect(await readiness(worker)).toEqual({
        status: 503,
        parts: { consuming: false, database, replies: true },
      });
    }
  } finally {
    await end();
  }
  await load.stop();
  await site.allAnswered();
  await expectReady();
}

it('a crash and restart of PostgreSQL costs only time', async () => {
  await during(
    () => postgres.stop('hard'),
    () => postgres.start(),
  );
});

it('a PostgreSQL that stops answering for a while costs only time', async () => {
  await during(
    () => postgres.pause(),
    () => postgres.resume(),
  );
});

it('each call is charged once when connections are cut during writes', async () => {
  const cutter = new Client({ connectionString: site.databaseUrl });
  await cutter.connect();
  const load = site.calls.keepSending();
  let cut = 0;
  while (cut < 12) {
    await site.calls.moreAnswered(site.calls.random.between(1, 60));
    const { rowCount } = await cutter.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'cdr-ingest worker' and state <> 'idle'`,
    );
    cut += rowCount ?? 0;
  }
  await cutter.end();
  await load.stop();
  await site.allAnswered();
  await expectReady();
});

it('a slow network and a single connection to PostgreSQL only make the worker slow', async () => {
  const proxy = await startProxy(site.databaseUrl);
  // One connection, for which everything has to queue.
  const slow = await site.worker({
    DATABASE_URL: proxy.url(site.databaseUrl),
    DATABASE_POOL: '1',
    PREFETCH: '100',
  });
  proxy.delay(100);
  const load = site.calls.keepSending();
  await until(async () => (await metric(slow, 'cdr_ingest_results_total{code="204"}')) > 100);
  await load.stop();
  await site.allAnswered();
  expect(await metric(slow, 'cdr_ingest_troubles_total{cause="message"}')).toBe(0);
  expect(await slow.stop()).toBe(0);
  await proxy.close();
});

it('a PostgreSQL that reports a full disk costs only time', async () => {
  await site.rows(`create function no_space() returns trigger language plpgsql as $$
    begin raise exception using errcode = 'disk_full', message = 'No space left on device'; end $$`);
  await during(
    async () => {
      await site.rows(
        'create trigger full_disk before insert on cdrs for each statement execute function no_space()',
      );
    },
    async () => {
      await site.rows('drop trigger full_disk on cdrs');
    },
    true,
  );
});

it('a PostgreSQL without free connections costs only time', async () => {
  await site.rows(`create role limited login password 'limited'`);
  await site.rows('grant all on all tables in schema public to limited');
  await site.rows('grant all on all sequences in schema public to limited');
  const url = new URL(site.databaseUrl);
  [url.username, url.password] = ['limited', 'limited'];
  const worker = await site.worker({ DATABASE_URL: url.href });
  const load = site.calls.keepSending();
  await until(async () => (await metric(worker, 'cdr_ingest_results_total{code="204"}')) > 100);
  await site.rows('alter role limited connection limit 0');
  await site.rows(`select pg_terminate_backend(pid)::text from pg_stat_activity where usename = 'limited'`);
  await worker.logged('too many connections');
  await until(async () => (await metric(worker, PAUSED)) === 1);
  await site.rows('alter role limited connection limit 10');
  await until(async () => (await metric(worker, PAUSED)) === 0);
  await load.stop();
  await site.allAnswered();
  expect(await worker.stop()).toBe(0);
});

it('after all of these faults every call is stored and charged exactly once', async () => {
  await expectFaultless(site);
});
