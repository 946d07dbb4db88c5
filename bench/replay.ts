import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { DeadLetterRows } from '../src/store/dead-letters/insert.ts';
import { writeDeadLetters } from '../src/store/persist/write.ts';
import { admitted } from './admitted.ts';
import { type Bed, openBenchDatabase, REPLY_QUEUE } from './bed.ts';
import { startWorkerProgram } from './programs.ts';
import { operator, workload } from './workload.ts';

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const POLL_MS = 20;
const LETTERS_AT_ONCE = 500;
const CLOSE_MS = 10_000;

/** Calls a second, by the clock of the database, of one worker. */
export interface ReplayRates {
  ordinary: number;
  replayed: number;
}

/**
 * Ordinary calls from a full queue, then the same number of dead letters through `dead replay`, with the same worker
 * and database. The first calls are not measured: the worker compiles its code during them.
 */
export async function measureReplay(bed: Bed, count: number, seed: number): Promise<ReplayRates> {
  const database = await bed.freshDatabase();
  await bed.clear();
  const services = { DATABASE_URL: database.url, AMQP_URL: bed.amqpUrl };
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const program = await startWorkerProgram(services);
  try {
    await bed.preload(workload(count, seed).messages);
    await Promise.race([untilReplies(bed, count), program.failure]);
    // Stopped, so that the queue is full when the worker begins.
    if (program.pid !== undefined) process.kill(program.pid, 'SIGSTOP');
    await bed.preload(workload(count, seed + 1).messages);
    if (program.pid !== undefined) process.kill(program.pid, 'SIGCONT');
    await Promise.race([untilReplies(bed, 2 * count), program.failure]);
    const ordinary = await rateOf(client, seed + 1);
    await leaveDeadLetters(database.url, count, seed + 2);
    const who = { CDR_USERNAME: operator.username, CDR_PASSWORD: operator.password };
    const env = { PATH: process.env.PATH, ...services, ...who };
    const child = spawn(process.execPath, [CLI, 'dead', 'replay', '--all', '--json'], {
      env,
      stdio: 'ignore',
    });
    // 1: the workload has calls that are refused again.
    const [code] = await once(child, 'exit');
    if (code !== 1) throw new Error(`dead replay ended with ${code}`);
    return { ordinary, replayed: await rateOf(client, seed + 2) };
  } finally {
    await program.stop();
    await client.end();
    await bed.clear();
    await database.drop();
  }
}

async function untilReplies(bed: Bed, count: number): Promise<void> {
  while ((await bed.replies()) < count) await sleep(POLL_MS);
}

/** Dead letters as a worker leaves them whose customers are unknown. Replies go where those of ordinary calls go. */
async function leaveDeadLetters(url: string, count: number, seed: number): Promise<void> {
  const database = openBenchDatabase(url);
  const outcome = { kind: 'rejected' as const, errors: [{ key: 'scustomer', message: 'none' }] };
  const { messages } = workload(count, seed);
  for (let from = 0; from < messages.length; from += LETTERS_AT_ONCE) {
    const letters = new DeadLetterRows();
    for (const { body } of messages.slice(from, from + LETTERS_AT_ONCE))
      letters.add(outcome, false, admitted(body, REPLY_QUEUE).deadLetter);
    await writeDeadLetters(database.sql, letters, []);
  }
  await database.close(CLOSE_MS);
}

async function rateOf(client: Client, seed: number): Promise<number> {
  const { rows } = await client.query<{ rate: string }>(
    `select count(*) / extract(epoch from max(received_at) - min(received_at)) as rate
     from cdrs where uniqueid like '%.' || $1::int || '.%'`,
    [seed],
  );
  return Number(rows[0]?.rate);
}
