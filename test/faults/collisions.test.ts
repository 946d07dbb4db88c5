import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { block } from '../support/blocker.ts';
import { until } from '../support/broker.ts';
import { expectFaultless, metric, openSite, type Site } from '../support/faults.ts';

const SEED = 4901;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const COLLISIONS = 'cdr_ingest_troubles_total{cause="collision"}';
const MESSAGE_FAULTS = 'cdr_ingest_troubles_total{cause="message"}';
/** Longer than deadlock_timeout, after which PostgreSQL looks for a deadlock, once per wait. */
const LOOKED_FOR_DEADLOCK = '2 seconds';

let site: Site;
beforeEach(async () => {
  site = await openSite('collisions', SEED, { environment: { DELIVERY_LIMIT: '1' } });
});
afterEach(() => site?.close());

it('a deadlock with another program is retried, and no message is blamed for it', async () => {
  const worker = await site.worker({ STATEMENT_TIMEOUT_MS: '120000', LOCK_TIMEOUT_MS: '60000' });
  // The worker locks customers in ascending order: it will hold 1 and wait for 2, then for 3.
  const second = await block(site, 'select from customers where id = 2 for update');
  const third = await block(site, 'select from customers where id = 3 for update');
  worker.child.kill('SIGSTOP');
  await site.calls.send(site.calls.make(60));
  await until(async () => (await site.depth('cdrs.create')) === 0);
  worker.child.kill('SIGCONT');
  await second.workerWaits();
  const first = third.query('select from customers where id = 1 for update');
  // From now on it is the worker whose wait is found to close the cycle.
  await until(async () => {
    const waiting = await site.rows(`select pid::text from pg_locks l join pg_stat_activity using (pid)
      where datname = current_database() and application_name = 'blocker' and not granted
        and waitstart < clock_timestamp() - interval '${LOOKED_FOR_DEADLOCK}'`);
    return waiting.length > 0;
  });
  await second.end();
  await worker.logged('deadlock detected');
  await first;
  await third.end();
  await site.allAnswered();
  expect(await metric(worker, COLLISIONS)).toBeGreaterThan(0);
  expect(await metric(worker, MESSAGE_FAULTS)).toBe(0);
  await expectFaultless(site);
});

it('serialization failures are retried, and no message is blamed for them', async () => {
  await site.rows(`do $$ begin
    execute format('alter database %I set default_transaction_isolation = serializable', current_database());
  end $$`);
  const workers = await Promise.all([1, 2, 3].map(() => site.worker({ PREFETCH: '20' })));
  const load = site.calls.keepSending();
  await Promise.any(workers.map((worker) => worker.logged('could not serialize access')));
  await load.stop();
  await site.allAnswered();
  for (const worker of workers) expect(await metric(worker, MESSAGE_FAULTS)).toBe(0);
  await expectFaultless(site);
});
