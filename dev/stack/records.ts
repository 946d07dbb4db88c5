import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerUser } from './places.ts';
import type { ProcessId } from './process.ts';

/** A server of this machine's programs: everything needed to start, control and remove it. */
export interface LocalRecord {
  kind: 'local';
  name: string;
  /** Data, sockets and log. */
  dir: string;
  command: string;
  /** One of them, or `argv0`, contains a path in `dir`, which proves that the process is ours. */
  args: string[];
  argv0?: string;
  env: Record<string, string>;
  user?: ServerUser;
  cleanSignal: 'SIGINT' | 'SIGTERM';
  /** Ends it at once when its data is no longer needed. SIGKILL is sent to all of its processes. */
  discardSignal: 'SIGQUIT' | 'SIGKILL';
  /** All of these answer when it is ready. */
  urls: string[];
  process?: ProcessId;
}

/** A server in a container. The label is recorded before the container exists, its id afterwards. */
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

/** Deletes the record of a server. */
export function deleteRecord(path: string): void {
  rmSync(path, { force: true });
}
