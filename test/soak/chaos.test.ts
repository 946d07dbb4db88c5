import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type PostgresServer,
  type RabbitServer,
  type ServerHandle,
  type StopMode,
  startPostgres,
  startRabbit,
} from '../../dev/stack.ts';
import { BILLED, openRatingEngine, type RatingEngine } from '../support/billed.ts';
import { until } from '../support/broker.ts';
import { faultless, openSite, type Site } from '../support/faults.ts';

/** How long, and which run: the seed decides the faults and the calls; the machine decides how they interleave. */
const MINUTES = Number(process.env.SOAK_MINUTES || 3);
const SEED = Number(process.env.SOAK_SEED || 1);

let postgres: PostgresServer;
let rabbit: RabbitServer;
let site: Site;
let rating: RatingEngine;
beforeAll(async () => {
  [postgres, rabbit] = await Promise.all([startPostgres(), startRabbit()]);
  rating = await openRatingEngine(rabbit.url);
  site = await openSite('soak', SEED, { postgres, rabbit, environment: { BILLED_EXCHANGE: BILLED } });
  // The calls of customer 3 come before its invoice: they are late, and attached now and then.
  await site.rows(`insert into invoices (id, customer, currency, period_start, period_end)
    select id, id % 10, 'USD', to_timestamp(1700000000 + case id when 13 then 1000 else 0 end), to_timestamp(1700001000)
    from unnest(array[11, 12, 13]) as id`);
});
afterAll(async () => {
  await site?.close();
  await rating?.close();
  await Promise.all([postgres?.remove(), rabbit?.remove()]);
});

/** PostgreSQL takes its former process for a living one for as long as nobody has collected its exit code. */
async function restart(server: ServerHandle, mode: StopMode): Promise<void> {
  const { pid } = server;
  await server.stop(mode);
  await until(() => !existsSync(`/proc/${pid}`));
  await server.start();
}

/** Corrections beside 50 calls. */
const CORRECTIONS = 5;

/** The closed invoice is never touched again; another one is open from now on. */
async function closeInvoice(): Promise<void> {
  await site.rows(`update invoices set status = 'closed' where id = 11`);
  await site.rows(`insert into invoices (id, customer, currency, period_start, period_end)
    values (21, 1, 'USD', to_timestamp(1700000000), to_timestamp(1700001000))`);
}

/** What is booked and nobody was told of, and what nobody has booked. */
async function differencesFromBooks(): Promise<string[]> {
  const rows = await site.rows(
    `select uniqueid as id from cdrs union all select id from corrections where kind <> 'attaching'`,
  );
  const booked = new Set(rows.map(({ id }) => id ?? ''));
  return [
    ...[...booked].filter((id) => !rating.told.has(id)).map((id) => `${id} was not told`),
    ...[...rating.told].filter((id) => !booked.has(id)).map((id) => `${id} is not booked`),
  ];
}

it('killed workers and restarts of both servers under load lose no call or correction and book none twice', async () => {
  const { random } = site.calls;
  const counts = { attached: 0, kills: 0, postgresRestarts: 0, postgresPauses: 0, rabbitRestarts: 0 };
  const workers = [site.worker(), site.worker(), site.worker()];
  await Promise.all(workers);

  const killWorker = async () => {
    const victim = random.between(0, workers.length - 1);
    const killed = await workers[victim];
    if (killed !== undefined) await site.kill(killed);
    workers[victim] = site.worker();
    counts.kills += 1;
  };
  const stopMode = () => random.pick<StopMode>(['clean', 'hard']);
  const faults: Record<string, () => Promise<void>> = {
    postgres: async () => {
      await restart(postgres, stopMode());
      counts.postgresRestarts += 1;
    },
    silence: async () => {
      // A worker that is starting could not be waited for meanwhile.
      await Promise.all(workers);
      await postgres.pause();
      // It is silent for as long as this takes.
      await killWorker();
      await postgres.resume();
      counts.postgresPauses += 1;
    },
    rabbit: async () => {
      await restart(rabbit, stopMode());
      counts.rabbitRestarts += 1;
    },
  };

  const load = site.calls.keepSending(CORRECTIONS);
  const begin = performance.now();
  const end = begin + MINUTES * 60_000;
  let isClosed = false;
  while (performance.now() < end) {
    await site.calls.moreAnswered(random.between(1, 3000));
    if (!isClosed && performance.now() > (begin + end) / 2) {
      isClosed = true;
      await closeInvoice();
    }
    // A worker may be killed while it runs.
    const attaching = site.attach();
    const fault = random.chance(0.6) ? killWorker : faults[random.pick(['postgres', 'silence', 'rabbit'])];
    // The command ends with its connection, and is run again.
    const [attached] = await Promise.all([attaching.catch(() => 0), fault?.()]);
    counts.attached += attached;
  }
  await load.stop();
  await Promise.all(workers);
  await site.allAnswered();
  await until(async () => (await site.depth('rating')) === 0);

  const { messages, calls } = site.calls;
  const { exits, deadLetters: _refused, ...audit } = await site.audit();
  const [doubled] = await site.rows(
    `select coalesce(sum(calls), 0)::int - (select count(*)::int from cdrs)
       - (select coalesce(sum(calls), 0)::int from corrections) as calls from customers`,
  );
  const [booked] = await site.rows(
    `select count(distinct id) filter (where kind = 'new')::text as updates, count(*) filter (where late)::text as late,
       count(distinct id) filter (where kind = 'reversing' and id not like '%#reversal')::text as voids,
       count(*) filter (where kind = 'attaching')::text as attached from corrections`,
  );
  // Of corrections that came before their calls, after a void, or two at once.
  const refused = await site.rows(
    `select operation, reason, count(*)::text as letters from dead_letters group by 1, 2 order by 1, 2`,
  );
  const untold = await differencesFromBooks();
  console.log(
    JSON.stringify({
      seed: SEED,
      minutes: MINUTES,
      messages,
      calls: calls.size,
      ...counts,
      lost: audit.lost.length,
      doubled: doubled?.calls,
      drift: audit.drift,
      booked,
      refused,
      billed: rating.messages,
      untold: untold.length,
    }),
  );
  const { deadLetters: _, ...expected } = faultless;
  expect({ ...audit, exits }).toEqual({ ...expected, exits: [0, 0, 0] });
  expect(refused.filter(({ operation, reason }) => operation === 'create' || reason !== 'rejected')).toEqual(
    [],
  );
  expect(untold).toEqual([]);
});
