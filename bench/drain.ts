import { setTimeout as sleep } from 'node:timers/promises';
import type { Bed, OwnDatabase } from './bed.ts';
import { between, type Measured, type Sample, sample } from './meter.ts';
import { type Program, type Services, startBenchProgram } from './programs.ts';
import type { Workload } from './workload.ts';

/** This share of a round is not measured: programs start, compile their code and connect. */
const WARM_SHARE = 0.2;
const POLL_MS = 10;
const LIMIT_MS = 300_000;

/** Measures how fast a program answers a queue that was filled beforehand. `check` verifies the database afterwards. */
export async function drain(
  bed: Bed,
  { messages }: Workload,
  start: (services: Services) => Program | Promise<Program>,
  check: (database: OwnDatabase) => Promise<void> = async () => {},
): Promise<Measured> {
  const database = await bed.freshDatabase();
  try {
    await bed.clear();
    await bed.preload(messages);
    const program = await start({ DATABASE_URL: database.url, AMQP_URL: bed.amqpUrl });
    const measured = await Promise.race([watch(bed, program, messages.length), program.failure]).finally(
      program.stop,
    );
    await check(database);
    return measured;
  } finally {
    await bed.clear();
    await database.drop();
  }
}

async function watch(bed: Bed, program: Program, count: number): Promise<Measured> {
  const pids = { worker: program.pid, ...bed.pids() };
  const deadline = performance.now() + LIMIT_MS;
  let first: Sample | undefined;
  while (performance.now() < deadline) {
    const replies = await bed.replies();
    if (first === undefined && replies >= count * WARM_SHARE) first = sample(pids, replies);
    if (first !== undefined && replies >= count) return between(first, sample(pids, count));
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
