import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { libraries } from './binaries.ts';
import { unpackedPackages } from './packages.ts';
import { serverUser } from './places.ts';
import { freePort } from './ports.ts';
import { createServer, type LocalServer } from './server.ts';
import type { Progress } from './types.ts';

export interface PgBouncerOptions {
  /** The database behind it. */
  databaseUrl: string;
  mode: 'session' | 'transaction' | 'statement';
  /** Further lines of pgbouncer.ini. */
  settings?: Record<string, string>;
  progress?: Progress;
}

export interface PgBouncerServer extends LocalServer {
  /** The same database through the pooler. */
  readonly databaseUrl: string;
}

/** Starts a throwaway PgBouncer of the distribution's package, unpacked and not installed, before a database. */
export async function startPgBouncer(options: PgBouncerOptions): Promise<PgBouncerServer> {
  const tree = await unpackedPackages('pgbouncer', ['pgbouncer'], options.progress ?? (() => {}));
  const port = await freePort();
  const target = new URL(options.databaseUrl);
  const [user, password] = [target.username, target.password].map(decodeURIComponent);
  const url = new URL(options.databaseUrl);
  url.host = `127.0.0.1:${port}`;
  const server = await createServer('pgbouncer', serverUser(), async (dir) => {
    const users = join(dir, 'users');
    writeFileSync(users, `"${user}" "${password}"\n`, { mode: 0o644 });
    const settings = {
      listen_addr: '127.0.0.1',
      listen_port: String(port),
      unix_socket_dir: '',
      auth_type: 'plain',
      auth_file: users,
      pool_mode: options.mode,
      ignore_startup_parameters: 'options',
      ...options.settings,
    };
    const lines = [
      '[databases]',
      `* = host=${target.hostname} port=${target.port}`,
      '[pgbouncer]',
      ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`),
    ];
    const file = join(dir, 'pgbouncer.ini');
    writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o644 });
    return {
      command: join(tree, 'usr/sbin/pgbouncer'),
      args: [file],
      env: libraries(tree),
      cleanSignal: 'SIGINT',
      discardSignal: 'SIGKILL',
      urls: [`tcp://127.0.0.1:${port}`],
    };
  });
  return Object.assign(server, { databaseUrl: url.href });
}
