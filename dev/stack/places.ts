import { readFileSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** The user that servers run as; undefined for the current one. */
export interface ServerUser {
  uid: number;
  gid: number;
}

const isRoot = () => process.getuid?.() === 0;

/** Where unpacked packages and the records of running stacks are kept: `CDR_CACHE_DIR` or the user's cache. */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  if (env.CDR_CACHE_DIR) return resolve(env.CDR_CACHE_DIR);
  // Root's home is closed to the unprivileged user that has to execute what is unpacked here.
  if (isRoot()) return '/var/cache/cdr-ingest';
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'cdr-ingest');
}

/** Where data directories are created: `TMPDIR`, else /var/tmp, because /tmp may be in memory, where fsync is free. */
export function dataBase(env: NodeJS.ProcessEnv = process.env): string {
  if (env.TMPDIR && canTraverse(tmpdir())) return tmpdir();
  return '/var/tmp';
}

/** PostgreSQL refuses to run as root: then `postgres`, else `nobody`, takes its place. */
export function serverUser(): ServerUser | undefined {
  if (!isRoot()) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const entry = users.find((user) => user[0] === name);
    if (entry) return { uid: Number(entry[2]), gid: Number(entry[3]) };
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user postgres nor nobody');
}

/** Whether the unprivileged server user can reach a directory; only root needs to ask. */
export function canTraverse(directory: string): boolean {
  if (!isRoot()) return true;
  for (let path = resolve(directory); ; path = dirname(path)) {
    if (((statSync(path, { throwIfNoEntry: false })?.mode ?? 0o001) & 0o001) === 0) return false;
    if (path === dirname(path)) return true;
  }
}
