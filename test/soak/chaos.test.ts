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
import { until } from '../support/broker.ts';
import { faultless, openSite, type Site } from '../support/faults.ts';

/** How long, and which run: the seed decides the faults and the calls; the machine decides how they interleave. */
const MINUTES = Number(process.env.SOAK_MINUTES || 3);
const SEED = Number(process.env.SOAK_SEED || 1);

let postgres: PostgresServer;
let rabbit: RabbitServer;
let site: Site;
beforeAll(async () => {
  [postgres, rabbit] = await Promise.all([startPostgres(), startRabbit()]);
  site = await openSite('soak', SEED, { postgres, rabbit });
});
afterAll(async () => {
  await site?.close();
  await Promise.all([postgres?.remove(), rabbit?.remove()]);
});

/** PostgreSQL takes its former process for a living one for as long as nobody has collected its exit code. */
async function restart(server: ServerHandle, mode: StopMode): Promise<void> {
  const { pid } = server;
  await server.stop(mode);
  await until(() => !existsSync(`/proc/${pid}`));
  await server.start();
}

it('killed workers and restarts of both servers under load lose no call and charge none twice', async () => {
  const { random } = site.calls;
  const counts = { kills: 0, postgresRestarts: 0, postgresPauses: 0, rabbitRestarts: 0 };
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

  const load = site.calls.keepSending();
  const end = performance.now() + MINUTES * 60_000;
  while (performance.now() < end) {
    await site.calls.moreAnswered(random.between(1, 3000));
    const fault = random.chance(0.6) ? killWorker : faults[random.pick(['postgres', 'silence', 'rabbit'])];
    await fault?.();
  }
  await load.stop();
  await Promise.all(workers);
  await site.allAnswered();

  const { messages, calls } = site.calls;
  const { exits, ...audit } = await site.audit();
  const [doubled] = await site.rows(
    'select coalesce(sum(calls), 0)::int - (select count(*)::int from cdrs) as calls from customers',
  );
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
      deadLetters: audit.deadLetters.length,
    }),
  );
  expect({ ...audit, exits }).toEqual({ ...faultless, exits: [0, 0, 0] });
});
