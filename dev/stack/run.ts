import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { cacheDirectory } from './places.ts';
import { identify, isRunning, type ProcessId } from './process.ts';
import { removeServer } from './remove.ts';

/** The servers of one process: a directory with one record per server and one of their owner. */
export interface Run {
  id: string;
  dir: string;
}

let current: { run: Run; reaper: ChildProcess } | undefined;
let servers = 0;

const runsDirectory = () => join(cacheDirectory(), 'runs');

/**
 * Opens the run of this process. The first call also removes what dead processes have left behind.
 *
 * No signal or exit handler is installed here, so that the program can drain on a signal. A small process beside it
 * (reaper.ts) notices its end, whatever the cause, and removes its servers. If that is killed too, the next run finds
 * the records.
 */
export async function openRun(): Promise<Run> {
  if (!current) {
    mkdirSync(runsDirectory(), { recursive: true });
    chmodSync(runsDirectory(), 0o700); // the records hold passwords
    await removeDeadRuns();
  }
  current ??= createRun();
  return current.run;
}

function createRun(): { run: Run; reaper: ChildProcess } {
  const id = randomBytes(6).toString('hex');
  const run: Run = { id, dir: join(runsDirectory(), id) };
  // Renamed into place with the owner inside, because a run without an owner looks dead to others.
  const draft = join(runsDirectory(), `.${id}`);
  mkdirSync(draft);
  writeFileSync(join(draft, 'owner.json'), JSON.stringify(identify(process.pid)));
  renameSync(draft, run.dir);
  return { run, reaper: startReaper(run.dir) };
}

/** A fresh record path for a server of this run. */
export function newRecordPath(run: Run, name: string): string {
  servers += 1;
  return join(run.dir, `${name}-${servers}.json`);
}

/** Removes a server of this run, and the run with its last one. */
export async function releaseServer(recordPath: string): Promise<void> {
  await removeServer(recordPath);
  if (!current || recordsOf(current.run.dir).length > 0) return;
  const { run, reaper } = current;
  current = undefined;
  rmSync(run.dir, { recursive: true, force: true });
  reaper.stdin?.end();
}

/** Removes every server of a run and the run itself. */
export async function removeRun(dir: string): Promise<void> {
  await Promise.all(recordsOf(dir).map((path) => removeServer(path)));
  rmSync(dir, { recursive: true, force: true });
}

/** Removes the runs whose owner is gone, for example after `kill -9` or a power failure. */
export async function removeDeadRuns(): Promise<void> {
  for (const name of readdirSync(runsDirectory())) {
    const dir = join(runsDirectory(), name);
    if (name.startsWith('.') || !ownerIsDead(dir)) continue;
    await removeRun(dir);
  }
}

function ownerIsDead(dir: string): boolean {
  try {
    return !isRunning(JSON.parse(readFileSync(join(dir, 'owner.json'), 'utf8')) as ProcessId);
  } catch {
    return false; // being removed by another process at this moment
  }
}

function recordsOf(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.json') && name !== 'owner.json')
    .map((name) => join(dir, name));
}

/** Starts the reaper. It watches a pipe, whose other end the kernel closes however this process ends. */
function startReaper(runDir: string): ChildProcess {
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const script = fileURLToPath(new URL('./reaper.ts', import.meta.url));
  const reaper = spawn(process.execPath, ['--import', loader, script, runDir], {
    detached: true, // Ctrl-C goes to the terminal's process group, and the reaper has to outlive it
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  reaper.unref();
  reaper.on('error', () => {}); // without a reaper the next run still cleans up
  reaper.stdin.on('error', () => {});
  if ('unref' in reaper.stdin && typeof reaper.stdin.unref === 'function') reaper.stdin.unref();
  return reaper;
}
