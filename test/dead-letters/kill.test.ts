import { afterAll, beforeAll, expect, it } from 'vitest';
import { reconcile } from '../../src/store/reconcile.ts';
import { outsider, until } from '../support/broker.ts';
import { type OperatorSite, openOperatorSite } from '../support/operators.ts';
import { startProcess } from '../support/worker.ts';

let site: OperatorSite;
const COUNT = 10_000;

beforeAll(async () => {
  site = await openOperatorSite('dead-letters-kill');
  // What a worker would have left behind, without waiting for it.
  await site.db.execute(`insert into dead_letters
      (reason, uniqueid, scustomer, machine, submitted_by, verified, responses, body, digest, cost)
    select 'rejected', 'k-' || n, 5, 'm', 'switch', true, '[{"code": "400", "key": "scustomer", "message": "none"}]',
      json_build_object('auth_username', 'switch', 'uniqueid', 'k-' || n, 'machine', 'm', 'start', 1700000000,
        'scustomer', 5, 'cost', '0.01')::text, sha256(('k-' || n)::bytea), 0.01
    from generate_series(1, ${COUNT}) n`);
  await site.db.execute(`insert into customers (id, name, currency) values (5, 'five', 'USD')`);
});

afterAll(async () => {
  await site?.close();
});

const count = async (what: string) => {
  const [row] = await site.db.rows(`select count(*)::text as count from ${what}`);
  return Number(row?.count);
};

it('kill -9 of a replay of 10,000, and then of the worker: the same command finishes the rest, once', async () => {
  const first = await site.startDead(['replay', '--customer', '5']);
  await until(async () => (await count(`dead_letters where status = 'resolved'`)) > 1500);
  first.child.kill('SIGKILL');
  await first.ended;
  const before = await count(`dead_letters where status = 'resolved'`);
  expect(before).toBeLessThan(COUNT);

  const second = await site.startDead(['replay', '--customer', '5']);
  await until(async () => (await count(`dead_letters where status = 'resolved'`)) > before + 1000);
  site.worker.child.kill('SIGKILL');
  await site.worker.ended;
  expect(await count(`dead_letters where status = 'resolved'`)).toBeLessThan(COUNT);
  const { CDR_USERNAME, CDR_PASSWORD, ...services } = site.environment;
  const other = await startProcess(['worker'], { ...services, HTTP_PORT: '0' });
  expect(await second.ended).toBe(0);
  expect(await count(`dead_letters where status = 'resolved'`)).toBe(COUNT);
  expect(await count(`cdrs where replayed_by = 'boss' and submitted_by = 'switch'`)).toBe(COUNT);
  const charged = 'select calls::text, trim_scale(charged)::text as charged from customers where id = 5';
  expect(await site.db.rows(charged)).toEqual([{ calls: String(COUNT), charged: '100' }]);
  // Messages of the killed replay are worth nothing by now: no dead letter of them, and none is left.
  const broker = await outsider(site.db.amqpUrl);
  await until(async () => (await broker.depth('cdrs.create')) === 0);
  await broker.close();
  expect(await other.stop()).toBe(0);
  expect(await count('dead_letters')).toBe(COUNT);
  const { proofs } = await reconcile(site.db);
  expect(proofs.filter(({ drift }) => drift > 0)).toEqual([]);
});
