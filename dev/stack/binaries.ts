import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { unpackedPackages } from './packages.ts';
import { canTraverse } from './places.ts';
import type { Progress } from './types.ts';

/** Where a server's programs are and what they need in their environment. */
export interface Binaries {
  bin: string;
  env: Record<string, string>;
}

/** Where to look; the defaults are this machine. */
export interface Search {
  env?: NodeJS.ProcessEnv;
  /** Directory that stands for `/` when looking for installed packages. */
  root?: string;
}

const OLDEST_POSTGRES = 15;
const OLDEST_RABBIT = [3, 10] as const;
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const ELSEWHERE = 'Start Docker, or set DATABASE_URL and AMQP_URL to servers that exist.';

/** PostgreSQL's programs: installed ones, from PATH, or unpacked from the distribution's package. */
export async function postgresBinaries(progress: Progress, search: Search = {}): Promise<Binaries> {
  requireLinux('PostgreSQL');
  const { env = process.env, root = '/' } = search;
  const installed = newestPostgres(root) ?? (root === '/' ? postgresOnPath(env) : undefined);
  if (installed) return { bin: installed, env: baseEnv() };
  const tree = await unpackedPackages('postgresql', ['postgresql'], progress, env);
  const bin = newestPostgres(tree);
  if (!bin) throw new Error(`The distribution's PostgreSQL is older than ${OLDEST_POSTGRES}. ${ELSEWHERE}`);
  requireAccess(tree);
  return { bin, env: { ...baseEnv(), ...libraries(tree) } };
}

/** RabbitMQ's programs (its own scripts, not the distribution's wrappers, which insist on a user). */
export async function rabbitBinaries(progress: Progress, search: Search = {}): Promise<Binaries> {
  requireLinux('RabbitMQ');
  const { env = process.env, root = '/' } = search;
  const installed = newestRabbit(root);
  if (installed) return { bin: installed, env: baseEnv() };
  const tree = await unpackedPackages('rabbitmq', ['rabbitmq-server'], progress, env);
  const bin = newestRabbit(tree);
  if (!bin)
    throw new Error(`The distribution's RabbitMQ is older than ${OLDEST_RABBIT.join('.')}. ${ELSEWHERE}`);
  requireAccess(tree);
  const path = [join(tree, 'usr/lib/erlang/bin'), SYSTEM_PATH].join(delimiter);
  return { bin, env: { ...baseEnv(), ...libraries(tree), PATH: path } };
}

// Nothing is inherited: a PGOPTIONS or RABBITMQ_NODENAME of the caller belongs to another server.
const baseEnv = () => ({ PATH: SYSTEM_PATH, LANG: 'C.UTF-8' });

export function libraries(tree: string): Record<string, string> {
  const directories = ['usr/lib', 'lib'].flatMap((lib) => {
    const path = join(tree, lib);
    if (!existsSync(path)) return [];
    return readdirSync(path)
      .filter((entry) => entry.includes('-linux-gnu'))
      .map((entry) => join(path, entry));
  });
  return directories.length > 0 ? { LD_LIBRARY_PATH: directories.join(delimiter) } : {};
}

function newestPostgres(root: string): string | undefined {
  const base = join(root, 'usr/lib/postgresql');
  if (!existsSync(base)) return undefined;
  const [newest] = readdirSync(base)
    .filter(
      (version) => Number(version) >= OLDEST_POSTGRES && existsSync(join(base, version, 'bin/postgres')),
    )
    .sort((a, b) => Number(b) - Number(a));
  return newest === undefined ? undefined : join(base, newest, 'bin');
}

function postgresOnPath(env: NodeJS.ProcessEnv): string | undefined {
  for (const bin of (env.PATH ?? '').split(delimiter)) {
    if (!existsSync(join(bin, 'postgres')) || !existsSync(join(bin, 'initdb'))) continue;
    const version = execFileSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' });
    if (Number(/(\d+)/.exec(version)?.[1]) >= OLDEST_POSTGRES && canTraverse(bin)) return bin;
  }
  return undefined;
}

function newestRabbit(root: string): string | undefined {
  const base = join(root, 'usr/lib/rabbitmq/lib');
  if (!existsSync(base)) return undefined;
  for (const entry of readdirSync(base).sort().reverse()) {
    const [, major, minor] = /^rabbitmq_server-(\d+)\.(\d+)/.exec(entry) ?? [];
    const older = Number(major) < OLDEST_RABBIT[0] || (major === '3' && Number(minor) < OLDEST_RABBIT[1]);
    if (major !== undefined && !older) return join(base, entry, 'sbin');
  }
  return undefined;
}

function requireLinux(server: string): void {
  if (process.platform === 'linux') return;
  throw new Error(`Without Docker ${server} can only be started on Linux. ${ELSEWHERE}`);
}

function requireAccess(tree: string): void {
  if (canTraverse(tree)) return;
  throw new Error(
    `The servers run as an unprivileged user, which cannot reach ${dirname(tree)}: point CDR_CACHE_DIR elsewhere.`,
  );
}
