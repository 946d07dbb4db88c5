import { Client } from 'pg';
import type { Bed } from './bed.ts';
import { offer } from './latency.ts';
import { quantile } from './numbers.ts';
import { peakMib, startBenchProgram, startWorkerProgram } from './programs.ts';
import { HELD_CUSTOMER, type Storm, storms } from './storms.ts';
import { workload } from './workload.ts';

/** Honest calls during one storm, and the same number sent to the same worker before it began. */
export interface Abuse {
  name: string;
  before: Honest;
  during: Honest;
  /** Highest resident memory of the worker, MiB. */
  peakMib: number;
}

export interface Honest {
  sent: number;
  answered: number;
  /** Milliseconds; null if too many calls were not answered to tell. */
  p50: number | null;
  p99: number | null;
}

export interface AbuseSize {
  warmSeconds: number;
  beforeSeconds: number;
  stormSeconds: number;
}

const RATE = 20;
const WARM_RATE = 100;
/** A call counts as not answered when this has passed since the last one was sent. */
const LIMIT_MS = 10_000;

/** Every storm in turn, each with its own worker and database. */
export async function measureAbuse(
  bed: Bed,
  size: AbuseSize,
  progress: (line: string) => void,
): Promise<Abuse[]> {
  const results: Abuse[] = [];
  for (const [index, storm] of storms.entries()) {
    progress(`abuse ${index + 1} of ${storms.length}: ${storm.name}`);
    results.push(await measureStorm(bed, storm, index, size));
  }
  return results;
}

async function measureStorm(bed: Bed, storm: Storm, index: number, size: AbuseSize): Promise<Abuse> {
  const database = await bed.freshDatabase();
  await addHeldCustomer(database.url);
  await bed.clear();
  const services = { DATABASE_URL: database.url, AMQP_URL: bed.amqpUrl };
  const worker = await startWorkerProgram(services);
  const honest = async (seconds: number, rate: number, seed: number) => {
    const { messages } = workload(rate * seconds, 7000 + 10 * index + seed);
    return honestOf(await offer(bed, messages, rate, { replies: storm.replies, limitMs: LIMIT_MS }));
  };
  try {
    const WORKER_URL = `http://127.0.0.1:${await worker.port()}`;
    await honest(size.warmSeconds, WARM_RATE, 1);
    const before = await honest(size.beforeSeconds, RATE, 2);
    const raging = startBenchProgram('storm.ts', { ...services, WORKER_URL }, [index]);
    const during = await Promise.race([honest(size.stormSeconds, RATE, 3), raging.failure, worker.failure]);
    await raging.stop();
    return { name: storm.name, before, during, peakMib: peakMib(worker.pid) };
  } finally {
    await worker.kill();
    await bed.clear();
    await database.drop();
  }
}

function honestOf(waits: readonly number[]): Honest {
  const figure = (share: number) => {
    const value = quantile(waits, share);
    return Number.isFinite(value) ? value : null;
  };
  const answered = waits.filter(Number.isFinite).length;
  return { sent: waits.length, answered, p50: figure(0.5), p99: figure(0.99) };
}

async function addHeldCustomer(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`insert into customers (id, currency) values (${HELD_CUSTOMER}, 'USD')`);
  await client.query(`insert into invoices (id, customer, currency, period_start, period_end)
    values (900000, ${HELD_CUSTOMER}, 'USD', to_timestamp(1759000000), to_timestamp(1762000000))`);
  await client.end();
}
