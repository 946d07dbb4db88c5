import { execFile, spawn } from 'node:child_process';
import { chownSync, closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { dataBase, type ServerUser } from './places.ts';
import { ended, identify, isRunning, type ProcessId, send, sendToFamily } from './process.ts';
import { untilAnswering } from './ready.ts';
import { type LocalRecord, readRecord, writeRecord } from './records.ts';
import { DIRECTORY_PREFIX } from './remove.ts';
import { newRecordPath, openRun, releaseServer } from './run.ts';
import type { ServerHandle, StopMode } from './types.ts';

const READY_MS = 90_000;
const CLEAN_STOP_MS = 60_000;
const LOG_LINES = 40;

type Spec = Omit<LocalRecord, 'kind' | 'process' | 'dir' | 'name'>;

/** A server run from this machine's binaries, controlled through its record file. */
export class LocalServer implements ServerHandle {
  readonly recordPath: string;

  constructor(recordPath: string) {
    this.recordPath = recordPath;
  }

  get record(): LocalRecord {
    const record = readRecord(this.recordPath);
    if (record?.kind !== 'local') throw new Error(`the server of ${this.recordPath} has been removed`);
    return record;
  }

  get pid(): number | undefined {
    return this.#running()?.pid;
  }

  async start(): Promise<void> {
    const record = this.record;
    if (!this.#running()) writeRecord(this.recordPath, { ...record, process: launch(record) });
    await untilAnswering(record.urls, READY_MS, () => {
      if (!this.#running()) throw new Error(`it ended by itself`);
    }).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`${record.name} did not start: ${reason}\n${logTail(record.dir)}`, { cause: error });
    });
  }

  async stop(mode: StopMode): Promise<void> {
    const root = this.#running();
    if (!root) return;
    if (mode === 'hard') {
      await ended(sendToFamily(root, 'SIGKILL'), CLEAN_STOP_MS);
      return;
    }
    const record = this.record;
    const members = sendToFamily(root, 'SIGCONT'); // a frozen process would never see the signal
    send(root, record.cleanSignal);
    if (await ended(members, CLEAN_STOP_MS)) return;
    throw new Error(`${record.name} did not stop in ${CLEAN_STOP_MS / 1000} s\n${logTail(record.dir)}`);
  }

  async restart(mode: StopMode = 'clean'): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  async pause(): Promise<void> {
    const root = this.#running();
    if (root) sendToFamily(root, 'SIGSTOP');
  }

  async resume(): Promise<void> {
    const root = this.#running();
    if (root) sendToFamily(root, 'SIGCONT');
  }

  /** Ends the server for good and deletes its data. */
  async remove(): Promise<void> {
    await releaseServer(this.recordPath);
  }

  #running(): ProcessId | undefined {
    const id = this.record.process;
    return id && isRunning(id) ? id : undefined;
  }
}

/**
 * Creates a directory and a record for a server, lets `prepare` fill the directory, and starts the server. If any of
 * that fails, everything is removed again.
 */
export async function createServer(
  name: string,
  user: ServerUser | undefined,
  prepare: (dir: string) => Promise<Spec>,
): Promise<LocalServer> {
  const run = await openRun();
  const recordPath = newRecordPath(run, name);
  const dir = join(
    dataBase(),
    `${DIRECTORY_PREFIX}${run.id}-${name}-${recordPath.match(/\d+(?=\.json$)/)?.[0]}`,
  );
  // The record is written before the directory exists, so that no directory is ever without one.
  const blank: LocalRecord = {
    kind: 'local',
    name,
    dir,
    command: '',
    args: [],
    env: {},
    cleanSignal: 'SIGTERM',
    discardSignal: 'SIGKILL',
    urls: [],
  };
  writeRecord(recordPath, blank);
  const server = new LocalServer(recordPath);
  try {
    mkdirSync(dir, { mode: 0o700 });
    if (user) chownSync(dir, user.uid, user.gid);
    writeRecord(recordPath, { ...blank, ...(await prepare(dir)), ...(user && { user }) });
    await server.start();
    return server;
  } catch (error) {
    await server.remove();
    throw error;
  }
}

/** Runs a tool of a server to its end, as the server's user and with only the given environment. */
export function runTool(
  command: string,
  args: readonly string[],
  options: { dir: string; env: Record<string, string>; user?: ServerUser | undefined },
): Promise<string> {
  const { dir: cwd, env, user } = options;
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd, env, ...user, timeout: READY_MS }, (error, stdout, stderr) => {
      if (error)
        reject(new Error(`${command} ${args.join(' ')} failed\n${stdout}${stderr}`, { cause: error }));
      else resolve(stdout);
    });
  });
}

function launch(record: LocalRecord): ProcessId {
  const log = openSync(join(record.dir, 'log'), 'a', 0o644);
  try {
    const child = spawn(record.command, record.args, {
      cwd: record.dir,
      env: record.env,
      ...record.user,
      ...(record.argv0 !== undefined && { argv0: record.argv0 }),
      detached: true,
      stdio: ['ignore', log, log],
    });
    child.on('error', () => {}); // shows as a missing pid below
    child.unref();
    const id = child.pid === undefined ? undefined : identify(child.pid);
    if (!id) throw new Error(`${record.command} could not be run`);
    return id;
  } finally {
    closeSync(log);
  }
}

function logTail(dir: string): string {
  try {
    const lines = readFileSync(join(dir, 'log'), 'utf8').trimEnd().split('\n');
    return stripVTControlCharacters(lines.slice(-LOG_LINES).join('\n'));
  } catch {
    return '(no log)';
  }
}
