import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/broker.ts';
import { callOf, type DeskSite, openDesk } from '../support/desk.ts';

let site: DeskSite;
const CALLS = 4000;
const ROUNDS = 3;

beforeAll(async () => {
  site = await openDesk('desk-throughput');
  await site.db.execute(`insert into customers (id, name, currency) values (5, 'five', 'USD')`);
});

afterAll(async () => {
  await site?.close();
});

/** Calls a second, from the first that is settled to the last. */
async function ordinary(round: number): Promise<number> {
  let first = 0;
  const calls = Array.from({ length: CALLS }, async (_, index) => {
    await site.door.submit({
      body: JSON.stringify(callOf({ uniqueid: `o-${round}-${index}`, scustomer: 5 })),
    });
    first ||= performance.now();
  });
  await Promise.all(calls);
  return CALLS / ((performance.now() - first) / 1000);
}

async function replayed(round: number): Promise<number> {
  await site.db.execute(`insert into dead_letters
      (reason, uniqueid, scustomer, machine, submitted_by, responses, body, digest)
    select 'rejected', 'r-${round}-' || n, 5, 'm', 'switch', '[{"code": "400", "key": "scustomer", "message": "none"}]',
      json_build_object('uniqueid', 'r-${round}-' || n, 'machine', 'm', 'start', 1700000000, 'scustomer', 5,
        'cost', '1.50')::text, sha256(('r-${round}-' || n)::bytea)
    from generate_series(1, ${CALLS}) n`);
  const resolved = async () => {
    const [row] = await site.db.rows(
      `select count(*)::text as count from dead_letters where status = 'resolved'`,
    );
    return Number(row?.count) - round * CALLS;
  };
  const command = site.dead(['replay']);
  await until(async () => (await resolved()) > 0);
  const first = performance.now();
  await until(async () => (await resolved()) === CALLS);
  const rate = CALLS / ((performance.now() - first) / 1000);
  expect((await command).code).toBe(0);
  return rate;
}

it('replays at half the speed of ordinary calls or more, in the best of three rounds each', async () => {
  const rates: { ordinary: number; replayed: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1)
    rates.push({ ordinary: await ordinary(round), replayed: await replayed(round) });
  const [best, bestReplay] = [rates.map((rate) => rate.ordinary), rates.map((rate) => rate.replayed)].map(
    (list) => Math.max(...list),
  );
  process.stdout.write(
    `calls/s: ${JSON.stringify(rates.map((rate) => Object.values(rate).map(Math.round)))}\n`,
  );
  expect((bestReplay ?? 0) / (best ?? 1)).toBeGreaterThan(0.5);
});
