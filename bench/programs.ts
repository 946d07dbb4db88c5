import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { WORKER_NODE_OPTIONS } from '../test/support/node-options.ts';
import { startProcess, type WorkerProcess } from '../test/support/worker.ts';

const KIB_PER_MIB = 1024;

/** Every program is measured with Node's settings in production. */
const NODE_OPTIONS = WORKER_NODE_OPTIONS;

/** A process that is measured. */
export interface Program {
  pid: number | undefined;
  /** Rejects when it ends without having been asked to. */
  failure: Promise<never>;
  /** Ends it; resolves when it is gone. */
  stop: () => Promise<void>;
}

/** The worker, which also serves HTTP. */
export interface WorkerProgram extends Program {
  port: () => Promise<number>;
  /** Ends it at once, whatever it is doing. */
  kill: () => Promise<void>;
}

/** `count` and `sample` begin, `counted` and `sampled` end and answer with bytes and a heap profile. */
export type WitnessQuestion = 'count' | 'counted' | 'sample' | 'sampled';

/** A worker that can be asked what it allocates. */
export interface WitnessedWorker extends WorkerProgram {
  ask: <Answer>(question: WitnessQuestion) => Promise<Answer>;
}

export interface Services {
  DATABASE_URL: string;
  AMQP_URL: string;
  /** Where the worker serves HTTP, for a program that needs it. */
  WORKER_URL?: string;
  SOURCES_FILE?: string;
  BILLED_EXCHANGE?: string;
}

/** The program of the part `worker`: the product as it ships, with only its servers and the settings of the image set. */
export async function startWorkerProgram(services: Services): Promise<WorkerProgram> {
  return programOf(await startProcess(['worker'], environmentOf(services)));
}

const HEAP_WITNESS = new URL('heap-witness.mjs', import.meta.url).href;

/** The same with `heap-witness.mjs` in it. */
export async function startWitnessedWorker(services: Services): Promise<WitnessedWorker> {
  const worker = await startProcess(['worker'], environmentOf(services), undefined, HEAP_WITNESS);
  const ask = async <Answer>(question: WitnessQuestion): Promise<Answer> => {
    const answered = once(worker.child, 'message') as Promise<[{ answer: Answer }]>;
    worker.child.send(question);
    const [{ answer }] = await answered;
    return answer;
  };
  return { ...programOf(worker), ask };
}

function environmentOf(services: Services): Record<string, string> {
  return { ...services, NODE_OPTIONS, HTTP_PORT: '0' };
}

function programOf(worker: WorkerProcess): WorkerProgram {
  let stopping = false;
  const failure = worker.ended.then((code) => {
    if (stopping) return new Promise<never>(() => undefined);
    throw new Error(`the worker ended with ${code}; it wrote:\n${worker.output()}`);
  });
  failure.catch(() => undefined);
  killAtExit(worker.child);
  return {
    pid: worker.child.pid,
    failure,
    port: worker.port,
    kill: async () => {
      stopping = true;
      worker.child.kill('SIGKILL');
      await worker.ended;
    },
    stop: async () => {
      stopping = true;
      const code = await worker.stop();
      if (code !== 0) throw new Error(`the worker ended with ${code}; it wrote:\n${worker.output()}`);
    },
  };
}

/** Starts one of the programs in this directory. `onDone` receives the number of messages that it reports as done. */
export function startBenchProgram(
  file: string,
  services: Services,
  args: readonly number[] = [],
  onDone?: (done: number) => void,
): Program {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = fork(path, args.map(String), {
    execArgv: ['--import', 'tsx'],
    env: { PATH: process.env.PATH ?? '', NODE_OPTIONS, ...services },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  child.on('message', (message: { done: number }) => onDone?.(message.done));
  const ended = once(child, 'exit');
  let stopping = false;
  const failure = ended.then(([code]) => {
    if (stopping || code === 0) return new Promise<never>(() => undefined);
    throw new Error(`${file} ended with ${code}`);
  });
  failure.catch(() => undefined);
  killAtExit(child);
  return {
    pid: child.pid,
    failure,
    stop: async () => {
      stopping = true;
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Highest resident memory of a process so far, MiB. */
export function peakMib(pid: number | undefined): number {
  return memoryOf(pid, 'VmHWM');
}

/** Resident memory of a process now, MiB. */
export function residentMib(pid: number | undefined): number {
  return memoryOf(pid, 'VmRSS');
}

function memoryOf(pid: number | undefined, field: 'VmHWM' | 'VmRSS'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN) / KIB_PER_MIB;
}

/** Without this a worker would outlive an interrupted benchmark and try to reconnect for ever. */
function killAtExit(child: ChildProcess): void {
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
}
