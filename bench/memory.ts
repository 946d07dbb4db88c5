import { setTimeout as sleep } from 'node:timers/promises';
import type { Bed } from './bed.ts';
import { residentMib, startWorkerProgram } from './programs.ts';
import { workload } from './workload.ts';

const SAMPLE_MS = 250;
/** Number of different messages. A larger backlog repeats them: most are duplicates then, but of the same size. */
const DISTINCT = 50_000;

/** Resident memory of the worker in MiB, four times a second, when it starts with a backlog of `waiting` messages. */
export async function measureMemory(
  bed: Bed,
  waiting: number,
  seconds: number,
  progress: (line: string) => void,
): Promise<number[]> {
  const database = await bed.freshDatabase();
  await bed.clear();
  const { messages } = workload(Math.min(DISTINCT, waiting), 900);
  for (let sent = 0; sent < waiting; sent += messages.length) {
    progress(`memory: ${sent} of ${waiting} messages waiting`);
    await bed.preload(messages.slice(0, waiting - sent));
  }
  progress('memory: the worker on the backlog');
  const program = await startWorkerProgram({ DATABASE_URL: database.url, AMQP_URL: bed.amqpUrl });
  const samples: number[] = [];
  try {
    for (let at = 0; at < seconds * 1000; at += SAMPLE_MS) {
      await Promise.race([sleep(SAMPLE_MS), program.failure]);
      samples.push(residentMib(program.pid));
    }
  } finally {
    await program.stop();
    await bed.clear();
    await database.drop();
  }
  return samples;
}
