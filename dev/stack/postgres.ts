import { randomBytes } from 'node:crypto';
import { appendFileSync, chownSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { postgresBinaries } from './binaries.ts';
import { serverUser } from './places.ts';
import { freePort } from './ports.ts';
import { createServer, type LocalServer, runTool } from './server.ts';
import type { Progress } from './types.ts';

export interface PostgresOptions {
  /** Further lines of postgresql.conf. */
  settings?: Record<string, string>;
  progress?: Progress;
}

export interface PostgresServer extends LocalServer {
  /** As superuser, to the database `postgres`. */
  readonly url: string;
}

/** Starts a throwaway PostgreSQL from this machine's binaries, as safe as a real one: fsync stays on. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const { bin, env } = await postgresBinaries(options.progress ?? (() => {}));
  const user = serverUser();
  const port = await freePort();
  const password = randomBytes(12).toString('hex');
  const url = `postgresql://cdr:${password}@127.0.0.1:${port}/postgres`;

  const server = await createServer('postgres', user, async (dir) => {
    const data = join(dir, 'data');
    const passwordFile = join(dir, 'password');
    writeFileSync(passwordFile, password, { mode: 0o600 });
    if (user) chownSync(passwordFile, user.uid, user.gid);
    const initdb = ['-D', data, '-U', 'cdr', '-A', 'scram-sha-256', '--pwfile', passwordFile];
    // The empty cluster need not be synced: it could simply be created again.
    initdb.push('--encoding=UTF8', '--locale=C', '--no-sync');
    await runTool(join(bin, 'initdb'), initdb, { dir, env, user });
    rmSync(passwordFile);
    const settings = {
      listen_addresses: '127.0.0.1',
      port: String(port),
      unix_socket_directories: dir,
      max_connections: '200',
      fsync: 'on',
      synchronous_commit: 'on',
      // A killed server must leave nothing behind in /dev/shm.
      dynamic_shared_memory_type: 'mmap',
      // The unpacked server comes without the JIT compiler (100 MB).
      jit: 'off',
      // The only time zone that needs no time zone files.
      timezone: 'GMT',
      log_timezone: 'GMT',
      ...options.settings,
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
    appendFileSync(join(data, 'postgresql.conf'), lines.join(''));
    return {
      command: join(bin, 'postgres'),
      args: ['-D', data],
      env,
      cleanSignal: 'SIGINT',
      discardSignal: 'SIGQUIT',
      urls: [url],
    };
  });
  return Object.assign(server, { url });
}
