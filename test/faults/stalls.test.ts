import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { block, endStatements } from '../support/blocker.ts';
import { until } from '../support/broker.ts';
import { expectFaultless, metric, openSite, readiness, type Site } from '../support/faults.ts';

const SEED = 5001;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const CALLS = 50;

let site: Site;
beforeEach(async () => {
  site = await openSite('stalls', SEED, {
    environment: { STATEMENT_TIMEOUT_MS: '120000', LOCK_TIMEOUT_MS: '60000' },
  });
});
afterEach(() => site?.close());

it('a worker that is frozen past its heartbeats and resumes does nothing twice', async () => {
  const messages = site.calls.make(CALLS);
  const frozen = await site.worker();
  const blocker = await block(site, 'select from customers for update');
  await site.calls.send(messages);
  await blocker.workerWaits();
  frozen.child.kill('SIGSTOP');
  // The broker misses the heartbeats and requeues everything.
  await until(async () => (await site.depth('cdrs.create')) === messages.length, 60_000);
  const other = await site.worker();
  await until(async () => (await metric(other, 'cdr_ingest_in_flight_messages')) === messages.length);
  // The statement of the frozen worker completes now, and the other worker handles the same calls.
  await blocker.end();
  await site.allAnswered();
  frozen.child.kill('SIGCONT');
  await until(async () => (await metric(frozen, 'cdr_ingest_in_flight_messages')) === 0);
  await frozen.logged('lost');
  await until(async () => (await readiness(frozen)).status === 200);
  await site.calls.send(site.calls.make(CALLS));
  await site.allAnswered();
  await expectFaultless(site);
});

/** A wall clock that jumps by a day, forward and back, ten times a second. */
const JUMPING_CLOCK = `
  const Real = Date;
  let offset = 0;
  setInterval(() => { offset = offset > 0 ? -86400000 : 86400000; }, 100).unref();
  globalThis.Date = class extends Real {
    constructor(...given) { given.length > 0 ? super(...given) : super(Real.now() + offset); }
    static now() { return Real.now() + offset; }
  };`;

it('a worker whose clock jumps by a day keeps working, even through an outage', async () => {
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(JUMPING_CLOCK)}`;
  const worker = await site.worker({ NODE_OPTIONS });
  const load = site.calls.keepSending();
  await site.calls.moreAnswered(200);
  await until(async () => {
    await endStatements(site);
    return (await metric(worker, 'cdr_ingest_troubles_total{cause="outage"}')) > 0;
  });
  await site.calls.moreAnswered(200);
  await load.stop();
  await site.allAnswered();
  expect((await readiness(worker)).status).toBe(200);
  const stamps = [...worker.output().matchAll(/"time":(\d+|"[^"]*")/g)].map(([, time = '']) =>
    JSON.parse(time),
  );
  const days = new Set(
    stamps.map((time) => Math.round((new Date(time).getTime() - Date.now()) / 86_400_000)),
  );
  expect(days).toContain(1);
  expect(days).toContain(-1);
  await expectFaultless(site);
});
