import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerUser } from './places.ts';
import type { ProcessId } from './process.ts';

/** A server run from binaries of this machine: all it takes to start, control and remove it. */
export interface LocalRecord {
  kind: 'local';
  name: string;
  /** Data, sockets and log. */
  dir: string;
  command: string;
  /** With a path in `dir` among them, or in `argv0`: that is what proves the process to be ours. */
  args: string[];
  argv0?: string;
  env: Record<string, string>;
  user?: ServerUser;
  cleanSignal: 'SIGINT' | 'SIGTERM';
  /** Ends it at once when its data is not needed any more; SIGKILL goes to every process of it. */
  discardSignal: 'SIGQUIT' | 'SIGKILL';
  /** All of these answer when it is ready. */
  urls: string[];
  process?: ProcessId;
}

/** A server in a container. The label is written down before the container exists, its id afterwards. */
export interface DockerRecord {
  kind: 'docker';
  label: string;
  id?: string;
  urls: string[];
}

export type ServerRecord = LocalRecord | DockerRecord;

/** The record in a file, undefined once the server has been removed. */
export function readRecord(path: string): ServerRecord | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ServerRecord;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Replaces a record in one step, so that a reader in another process never sees half of it. */
export function writeRecord(path: string, record: ServerRecord): void {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(record, null, 2), { mode: 0o600 });
  renameSync(draft, path);
}

/** Forgets a server. */
export function deleteRecord(path: string): void {
  rmSync(path, { force: true });
}
