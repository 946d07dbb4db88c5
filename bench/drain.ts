import { setTimeout as sleep } from 'node:timers/promises';
import type { Bed, OwnDatabase } from './bed.ts';
import { between, type Measured, type Sample, sample } from './meter.ts';
import { type Program, type Services, startBenchProgram } from './programs.ts';
import { fullRateAt, type Progress, type Start } from './start.ts';
import type { Workload } from './workload.ts';

/** This share of a round is left out of the steady rate: programs start, compile their code and connect. */
const WARM_SHARE = 0.2;
const POLL_MS = 10;
const LIMIT_MS = 300_000;

/** Both of one round: the steady rate, and how the program came up to it. */
export interface Drained {
  steady: Measured;
  start: Start;
}

type StartProgram = (services: Services) => Program | Promise<Program>;
type Check = (database: OwnDatabase) => Promise<void>;

/** The steady rate at which a program answers a queue that was filled beforehand. `check` verifies the database afterwards. */
export async function drain(
  bed: Bed,
  calls: Workload,
  start: StartProgram,
  check?: Check,
): Promise<Measured> {
  const { steady } = await drainFromStart(bed, calls, start, check);
  return steady;
}

/** The same with its start. */
export async function drainFromStart(
  bed: Bed,
  { messages }: Workload,
  start: StartProgram,
  check: Check = async () => {},
): Promise<Drained> {
  const database = await bed.freshDatabase();
  try {
    await bed.clear();
    await bed.preload(messages);
    const startedAt = performance.now();
    const program = await start({ DATABASE_URL: database.url, AMQP_URL: bed.amqpUrl });
    const drained = await Promise.race([
      watch(bed, program, messages.length, startedAt),
      program.failure,
    ]).finally(program.stop);
    await check(database);
    return drained;
  } finally {
    await bed.clear();
    await database.drop();
  }
}

async function watch(bed: Bed, program: Program, count: number, startedAt: number): Promise<Drained> {
  const pids = { worker: program.pid, ...bed.pids() };
  const deadline = performance.now() + LIMIT_MS;
  await bed.untilConsumed();
  const consuming = sample(pids, await bed.replies());
  const progress: Progress[] = [consuming];
  let warm: Sample | undefined;
  while (performance.now() < deadline) {
    const done = await bed.replies();
    progress.push({ at: performance.now(), done });
    if (warm === undefined && done >= count * WARM_SHARE) warm = sample(pids, done);
    if (warm !== undefined && done >= count) {
      const last = sample(pids, count);
      const steady = between(warm, last);
      const since = (at: number) => (at - startedAt) / 1000;
      return {
        steady,
        start: {
          whole: between(consuming, last),
          consuming: since(consuming.at),
          full: since(fullRateAt(progress, steady.perSecond)),
        },
      };
    }
    await sleep(POLL_MS);
  }
  throw new Error(`${await bed.replies()} of ${count} messages were answered in ${LIMIT_MS / 1000} s`);
}

/** The part `database`: batches one after the other, as fast as the database takes them. */
export async function measureDatabase(bed: Bed, count: number, seed: number): Promise<Measured> {
  const database = await bed.freshDatabase();
  try {
    return await runDatabase(bed, database, count, seed);
  } finally {
    await database.drop();
  }
}

/** The same in a given database. */
export async function runDatabase(
  bed: Bed,
  { url }: OwnDatabase,
  count: number,
  seed: number,
): Promise<Measured> {
  let first: Sample | undefined;
  let finish: (measured: Measured) => void = () => {};
  const finished = new Promise<Measured>((resolve) => {
    finish = resolve;
  });
  const services = { DATABASE_URL: url, AMQP_URL: bed.amqpUrl };
  const program = startBenchProgram('ceiling-database.ts', services, [count, seed], (done) => {
    const isWarm = first === undefined && done >= count * WARM_SHARE;
    if (!isWarm && done < count) return;
    const now = sample({ worker: program.pid, ...bed.pids() }, done);
    if (isWarm) first = now;
    else if (first !== undefined) finish(between(first, now));
  });
  try {
    return await Promise.race([finished, program.failure]);
  } finally {
    await program.stop();
  }
}
