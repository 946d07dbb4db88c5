import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Bed } from './bed.ts';
import { sample } from './meter.ts';
import { table } from './report.ts';

const PROGRAM = fileURLToPath(new URL('workarounds-program.ts', import.meta.url));
/** In the order of the program's numbers. */
const WAYS = [
  'as it is',
  'statements without names',
  "through Prisma's client",
  'through it, with values and rows left to it',
];

/** One way of using Prisma at one size of batch; per batch, where it does not say otherwise. */
export interface Workaround {
  way: string;
  calls: number;
  milliseconds: number;
  /** CPU. */
  workerMs: number;
  databaseMs: number;
  /** What outlived V8's young generation. */
  promotedKib: number;
  /** Live heap at the end. */
  liveMib: number;
}

type Said =
  | { kind: 'warm' }
  | { kind: 'done'; milliseconds: number; cpuMilliseconds: number; promotedKib: number; liveMib: number };

/**
 * What each of the workarounds in src/store/prisma.ts is worth: the statements of batches, with and without it.
 *
 * @param sizes rounds by the number of calls in a batch
 */
export async function measureWorkarounds(
  bed: Bed,
  sizes: Readonly<Record<number, number>>,
  progress: (line: string) => void,
): Promise<Workaround[]> {
  const measured: Workaround[] = [];
  for (const [calls, rounds] of Object.entries(sizes).map(
    ([size, rounds]) => [Number(size), rounds] as const,
  )) {
    for (const [number, way] of WAYS.entries()) {
      progress(`workarounds, batches of ${calls}: ${way}`);
      measured.push({ way, calls, ...(await measureOne(bed, [calls, rounds, number], rounds)) });
    }
  }
  return measured;
}

async function measureOne(bed: Bed, args: readonly number[], rounds: number) {
  const { url, drop } = await bed.freshDatabase();
  const pids = { worker: undefined, ...bed.pids() };
  const child = fork(PROGRAM, args.map(String), {
    execArgv: ['--import', 'tsx'],
    env: { PATH: process.env.PATH ?? '', DATABASE_URL: url },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const found: Omit<Workaround, 'way' | 'calls'>[] = [];
  let warm = sample(pids, 0);
  child.on('message', (said: Said) => {
    if (said.kind === 'warm') warm = sample(pids, 0);
    else {
      const seconds = sample(pids, rounds).cpu.database - warm.cpu.database;
      const { milliseconds, cpuMilliseconds, promotedKib, liveMib } = said;
      found.push({
        milliseconds,
        workerMs: cpuMilliseconds,
        databaseMs: (seconds * 1000) / rounds,
        promotedKib,
        liveMib,
      });
    }
  });
  const [code] = await once(child, 'exit');
  process.off('exit', kill);
  await drop();
  const [one] = found;
  if (one === undefined) throw new Error(`${PROGRAM} ended with ${code}`);
  return one;
}

/** As Markdown. */
export function workaroundTable(measured: readonly Workaround[]): string {
  return table(
    ['calls', 'way', 'ms', 'worker CPU ms', 'database CPU ms', 'KiB promoted', 'live heap MiB'],
    measured.map(({ way, calls, milliseconds, workerMs, databaseMs, promotedKib, liveMib }) => [
      `${calls}`,
      way,
      milliseconds.toFixed(2),
      workerMs.toFixed(2),
      databaseMs.toFixed(2),
      promotedKib.toFixed(0),
      liveMib.toFixed(1),
    ]),
  );
}
