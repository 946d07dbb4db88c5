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
const POSTGRES_BASE = 'usr/lib/postgresql';
const RABBIT_BASE = 'usr/lib/rabbitmq/lib';
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const ELSEWHERE = 'Start Docker, or set DATABASE_URL and AMQP_URL to servers that exist.';

/** PostgreSQL's programs: installed ones, from PATH, or unpacked from the distribution's package. */
export async function postgresBinaries(progress: Progress, search: Search = {}): Promise<Binaries> {
  requireLinux('PostgreSQL');
  const { env = process.env, root = '/' } = search;
  const installed = newestPostgres(root) ?? (root === '/' ? postgresOnPath(env) : undefined);
  if (installed) return { bin: installed, env: baseEnv() };
  const tree = await unpackedPackages('postgresql', ['postgresql'], progress, env);
  requireAccess(tree);
  const bin = newestPostgres(tree);
  if (!bin) throw unusable('PostgreSQL', tree, postgresIn(tree), String(OLDEST_POSTGRES));
  return { bin, env: { ...baseEnv(), ...libraries(tree) } };
}

/** RabbitMQ's programs (its own scripts, not the distribution's wrappers, which insist on a user). */
export async function rabbitBinaries(progress: Progress, search: Search = {}): Promise<Binaries> {
  requireLinux('RabbitMQ');
  const { env = process.env, root = '/' } = search;
  const installed = newestRabbit(root);
  if (installed) return { bin: installed, env: baseEnv() };
  const tree = await unpackedPackages('rabbitmq', ['rabbitmq-server'], progress, env);
  requireAccess(tree);
  const bin = newestRabbit(tree);
  if (!bin) throw unusable('RabbitMQ', tree, rabbitIn(tree), OLDEST_RABBIT.join('.'));
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

/** Versions that are installed below a directory, whatever their age. */
function postgresIn(root: string): string[] {
  const base = join(root, POSTGRES_BASE);
  return listed(base).filter((version) => existsSync(join(base, version, 'bin/postgres')));
}

function newestPostgres(root: string): string | undefined {
  const bins = postgresIn(root)
    .filter((version) => Number(version) >= OLDEST_POSTGRES)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(root, POSTGRES_BASE, version, 'bin'));
  return bins.find(canTraverse);
}

/** What is in a directory; nothing where it does not exist or may not be read. */
function listed(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function postgresOnPath(env: NodeJS.ProcessEnv): string | undefined {
  for (const bin of (env.PATH ?? '').split(delimiter)) {
    if (!existsSync(join(bin, 'postgres')) || !existsSync(join(bin, 'initdb'))) continue;
    const version = execFileSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' });
    if (Number(/(\d+)/.exec(version)?.[1]) >= OLDEST_POSTGRES && canTraverse(bin)) return bin;
  }
  return undefined;
}

function rabbitIn(root: string): string[] {
  return listed(join(root, RABBIT_BASE)).flatMap((entry) => {
    const [, version] = /^rabbitmq_server-(\d.*)$/.exec(entry) ?? [];
    return version === undefined ? [] : [version];
  });
}

function newestRabbit(root: string): string | undefined {
  const found = rabbitIn(root)
    .sort()
    .reverse()
    .find((version) => {
      const [major = 0, minor = 0] = version.split('.').map(Number);
      return major > OLDEST_RABBIT[0] || (major === OLDEST_RABBIT[0] && minor >= OLDEST_RABBIT[1]);
    });
  return found === undefined ? undefined : join(root, RABBIT_BASE, `rabbitmq_server-${found}`, 'sbin');
}

/** What the distribution's packages brought is none of this server, or an old one. */
function unusable(server: string, tree: string, versions: readonly string[], oldest: string): Error {
  const found =
    versions.length === 0
      ? `${tree} has no programs of ${server}: remove it, and it is unpacked anew.`
      : `The distribution's ${server} is ${versions.join(', ')}, expected ${oldest} or later.`;
  return new Error(`${found} ${ELSEWHERE}`);
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
