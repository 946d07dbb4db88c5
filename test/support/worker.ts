import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
/** Limit for starting and draining on a slow machine. */
const LIMIT_MS = 60_000;

/** A command of the product, as built, in its own process. */
export interface WorkerProcess {
  child: ChildProcess;
  /** Everything it wrote so far. */
  output: () => string;
  /** Resolves when its output contains the text; rejects if it ends without it, or after a minute. */
  logged: (text: string) => Promise<void>;
  /** The port of its metrics. */
  port: () => Promise<number>;
  /** Sends SIGTERM and resolves with the exit code. */
  stop: () => Promise<number | null>;
  /** Resolves with the exit code. */
  ended: Promise<number | null>;
}

/**
 * Starts `node dist/cli.js …`, of another version if one is given, with only PATH and the given environment.
 *
 * @param preload a module that is loaded first and can be spoken to by IPC
 */
export async function startProcess(
  args: readonly string[],
  environment: Record<string, string>,
  cli = CLI,
  preload?: string,
): Promise<WorkerProcess> {
  const env = { PATH: process.env.PATH ?? '', ...environment };
  const nodeArgs = preload === undefined ? [] : ['--import', preload];
  const child = spawn(process.execPath, [...nodeArgs, cli, ...args], {
    env,
    stdio: ['pipe', 'pipe', 'pipe', preload === undefined ? 'ignore' : 'ipc'],
    // The types know of three streams only.
  }) as ChildProcessWithoutNullStreams;
  let output = '';
  const listeners = new Set<() => void>();
  const ended = once(child, 'close').then(([code]) => code as number | null);
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      for (const listener of listeners) listener();
    });
  }
  await once(child, 'spawn');

  function logged(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!output.includes(text)) return;
        finish();
        resolve();
      };
      const fail = (why: string) => {
        finish();
        reject(new Error(`${why} without ${JSON.stringify(text)}; it wrote:\n${output}`));
      };
      const timer = setTimeout(() => fail('a minute passed'), LIMIT_MS);
      const finish = () => {
        clearTimeout(timer);
        listeners.delete(look);
      };
      listeners.add(look);
      ended.then(() => fail('the process ended'));
      look();
    });
  }

  return {
    child,
    ended,
    output: () => output,
    logged,
    port: async () => {
      await logged('"port":');
      return Number(/"port":(\d+)/.exec(output)?.[1]);
    },
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}
