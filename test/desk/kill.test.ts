import { afterAll, beforeAll, expect, it } from 'vitest';
import { reconcile } from '../../src/store/reconcile.ts';
import { outsider, until } from '../support/broker.ts';
import { type DeskSite, openDesk } from '../support/desk.ts';

let site: DeskSite;
const LETTERS = 10_000;

beforeAll(async () => {
  site = await openDesk('desk-kill');
  // What a worker would have left behind, without waiting for it.
  await site.db.execute(`insert into dead_letters
      (reason, uniqueid, scustomer, machine, submitted_by, responses, body, digest, cost)
    select 'rejected', 'k-' || n, 5, 'm', 'switch', '[{"code": "400", "key": "scustomer", "message": "none"}]',
      json_build_object('auth_username', 'switch', 'uniqueid', 'k-' || n, 'machine', 'm', 'start', 1700000000,
        'scustomer', 5, 'cost', '0.01')::text, sha256(('k-' || n)::bytea), 0.01
    from generate_series(1, ${LETTERS}) n`);
  await site.db.execute(`insert into customers (id, name, currency) values (5, 'five', 'USD')`);
});

afterAll(async () => {
  await site?.close();
});

const count = async (what: string) => {
  const [row] = await site.db.rows(`select count(*)::text as count from ${what}`);
  return Number(row?.count);
};

it('kill -9 in the middle of a replay of 10,000: the same command finishes the rest, once', async () => {
  const first = await site.startDead(['replay', '--customer', '5']);
  await until(async () => (await count(`dead_letters where status = 'resolved'`)) > 1500);
  first.child.kill('SIGKILL');
  await first.ended;
  expect(await count(`dead_letters where status <> 'resolved'`)).toBeGreaterThan(0);

  const started = performance.now();
  const second = await site.dead(['replay', '--customer', '5', '--json']);
  const seconds = (performance.now() - started) / 1000;
  const progress = JSON.parse(second.stdout) as { resolved: number; sent: number };
  process.stdout.write(`${progress.resolved} replayed in ${seconds.toFixed(1)} s\n`);
  expect(second.code).toBe(0);
  expect(progress.sent).toBe(progress.resolved);
  expect(await count(`dead_letters where status = 'resolved'`)).toBe(LETTERS);
  expect(await count(`cdrs where replayed_by = 'boss' and submitted_by = 'switch'`)).toBe(LETTERS);
  expect(
    await site.db.rows(
      'select calls::text, trim_scale(charged)::text as charged from customers where id = 5',
    ),
  ).toEqual([{ calls: String(LETTERS), charged: '100' }]);
  // Messages of the killed replay are worth nothing by now: no letter of them, and none is left.
  const other = await outsider(site.db.amqpUrl);
  await until(async () => (await other.depth('cdrs.create')) === 0);
  await other.close();
  expect(await count('dead_letters')).toBe(LETTERS);
  const { proofs } = await reconcile(site.db.prisma);
  expect(proofs.map(({ drift }) => drift)).toEqual([0, 0, 0]);
});
