import { type ChildProcess, execFileSync, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { freePort } from '../../dev/stack/ports.ts';
import { until } from '../support/broker.ts';
import { faultless, metric, openSite, type Site } from '../support/faults.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const DROPPED = 'cdr_ingest_log_lines_dropped_total';
const XOFF = '\x13';

let site: Site;
let folder: string;
let started: ChildProcess | undefined;

beforeAll(async () => {
  site = await openSite('log', 6207);
});
afterAll(() => site?.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdr-ingest-log-'));
});
afterEach(async () => {
  started?.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

interface Started {
  port: () => Promise<number>;
  /** Sends SIGTERM to the worker; resolves with the exit code. */
  stop: () => Promise<number | null>;
  child: ChildProcess;
}

/** The program and arguments that run a command line of a shell. */
type Run = (line: string) => [string, string[]];
const inShell: Run = (line) => ['sh', ['-c', line]];
const onTerminal: Run = (line) => ['script', ['-qec', line, '/dev/null']];

/** A worker that writes a line for each call. */
async function startWorker(run: Run, stdio: StdioOptions): Promise<Started> {
  const port = await freePort();
  const env = {
    PATH: process.env.PATH ?? '',
    DATABASE_URL: site.databaseUrl,
    AMQP_URL: site.amqpUrl,
    HTTP_PORT: String(port),
    LOG_LEVEL: 'debug',
  };
  // `script` runs the worker as another process.
  const pidFile = join(folder, 'pid');
  const worker = `echo $$ > '${pidFile}'; exec '${process.execPath}' '${CLI}' worker`;
  const [program, args] = run(worker);
  const child = spawn(program, args, { env, stdio });
  started = child;
  await until(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    return response?.ok === true;
  });
  return {
    child,
    port: () => Promise.resolve(port),
    stop: async () => {
      process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGTERM');
      const [code] = (await once(child, 'exit')) as [number | null];
      return code;
    },
  };
}

async function sendCalls(count: number): Promise<void> {
  await site.calls.send(site.calls.make(count));
  await site.allAnswered();
}

async function expectAlive(worker: Started): Promise<void> {
  const { status } = await fetch(`http://127.0.0.1:${await worker.port()}/livez`);
  expect(status).toBe(200);
}

// Mounting takes root.
it.skipIf(process.getuid?.() !== 0)(
  'a worker whose log fills its disk goes on, counts what it could not write and says so once there is room',
  async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'cdr-ingest-test', folder]);
    const log = join(folder, 'log');
    const fd = openSync(log, 'w');
    try {
      const worker = await startWorker(inShell, ['ignore', 'ignore', fd]);
      const filler = join(folder, 'filler');
      expect(() => writeFileSync(filler, Buffer.alloc(9_000_000))).toThrow('ENOSPC');
      await sendCalls(5000);
      await until(async () => (await metric(worker, DROPPED)) > 0);
      await expectAlive(worker);
      rmSync(filler);
      await until(() => readFileSync(log, 'utf8').includes('could not be written and are missing'));
      await sendCalls(1);
      const dropped = await metric(worker, DROPPED);
      expect(await worker.stop()).toBe(0);
      const lines = readFileSync(log, 'utf8').trim().split('\n');
      const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      const counts = parsed.flatMap(({ msg, count }) => (/are missing$/.test(String(msg)) ? [count] : []));
      expect(counts.reduce<number>((sum, count) => sum + Number(count), 0)).toBe(dropped);
      expect(parsed.at(-1)).toMatchObject({ level: 'info', service: 'cdr-ingest', msg: 'stopped' });
    } finally {
      closeSync(fd);
      execFileSync('umount', ['--lazy', folder]);
    }
    expect(await site.books()).toEqual(faultless);
  },
);

it('a worker whose log is full when SIGTERM comes ends', async () => {
  const fd = openSync('/dev/full', 'w');
  const worker = await startWorker(inShell, ['ignore', 'ignore', fd]);
  closeSync(fd);
  await sendCalls(100);
  expect(await worker.stop()).toBe(0);
  expect(await site.books()).toEqual(faultless);
});

it('a worker whose log goes into a pipe that nobody reads goes on, and ends on SIGTERM', async () => {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, 'w');
  const worker = await startWorker(inShell, ['ignore', 'ignore', writer]);
  closeSync(writer);
  await sendCalls(500);
  await expectAlive(worker);
  expect(await worker.stop()).toBe(0);
  closeSync(reader);
  expect(await site.books()).toEqual(faultless);
});

it('a worker on a terminal that is stopped goes on, and ends on SIGTERM', async () => {
  const worker = await startWorker(onTerminal, ['pipe', 'ignore', 'ignore']);
  worker.child.stdin?.write(XOFF);
  await sendCalls(500);
  await expectAlive(worker);
  const ended = worker.stop();
  await until(() => !isRunning(Number(readFileSync(join(folder, 'pid'), 'utf8'))));
  worker.child.stdin?.destroy();
  expect(await ended).toBe(0);
  expect(await site.books()).toEqual(faultless);
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
