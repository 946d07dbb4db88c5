import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory } from './places.ts';
import { identify, isRunning } from './process.ts';
import type { Progress } from './types.ts';

const run = promisify(execFile);
/** What dpkg knows to be installed. */
const INSTALLED = '/var/lib/dpkg/status';
const MAX_OUTPUT = 64 * 1024 * 1024;

// Dependencies that are only needed by installed services, by PostgreSQL's JIT compiler (24 MB, switched off) and by
// the web pages of Prometheus.
const NOT_NEEDED =
  /^(libjs|fonts|perl|libperl|python|libpython|systemd|dbus|libllvm|adduser|logrotate|cron|ucf|ssl-cert)/;

/** Unpacks packages and their missing dependencies into one directory tree of the cache, without installing them. */
export async function unpackedPackages(
  name: string,
  packages: readonly string[],
  progress: Progress,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const cache = cacheDirectory(env);
  const tree = join(cache, `${name}-${distribution()}-${process.arch}`);
  if (existsSync(tree)) return tree;

  mkdirSync(cache, { recursive: true });
  removeAbandoned(cache);
  const self = identify(process.pid);
  const work = join(cache, `.unpack-${process.pid}-${self?.startTime}-${randomBytes(3).toString('hex')}`);
  const draft = join(work, 'tree');
  mkdirSync(draft, { recursive: true });
  try {
    progress(`downloading ${packages.join(', ')} with apt into ${cache} (nothing is installed)`);
    for (const file of await download(work, packages, env)) {
      await run('dpkg-deb', ['-x', file, draft], { env, maxBuffer: MAX_OUTPUT });
    }
    relocateErlang(draft, tree);
    // In one step and last of all: a tree that exists is complete.
    renameSync(draft, tree);
  } catch (error) {
    // Another process may have put the same tree there first.
    if (!existsSync(tree)) throw missing(packages, error);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return tree;
}

async function download(
  work: string,
  packages: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<string[]> {
  const files = join(work, 'files');
  for (const dir of ['lists/partial', 'cache/archives/partial', 'files']) {
    mkdirSync(join(work, dir), { recursive: true });
  }
  // Private lists and archives, so that neither root nor a lock is needed and the system's own stay unchanged.
  const settings = [
    `Dir::State::Lists=${join(work, 'lists')}`,
    `Dir::Cache=${join(work, 'cache')}`,
    ...hidden(work, packages),
    'Debug::NoLocking=true',
    'APT::Sandbox::User=root',
    'Acquire::Retries=2',
    'Acquire::http::Timeout=30',
  ].flatMap((setting) => ['-o', setting]);
  const options = { cwd: files, env: { ...env, LC_ALL: 'C' }, maxBuffer: MAX_OUTPUT };
  const apt = (...args: string[]) => run('apt-get', [...settings, ...args], options);

  // One unreachable source among several makes this fail while the packages can still be had.
  const update = await apt('-q', 'update').catch((error: unknown) => error);
  try {
    const plan = await apt('-s', '--no-install-recommends', 'install', ...packages);
    await apt('-q', 'download', ...neededOf(plan.stdout));
  } catch (error) {
    throw update instanceof Error ? update : error;
  }
  return readdirSync(files).map((file) => join(files, file));
}

/**
 * The setting by which apt does not know of wanted packages that are installed: it would leave them out, and it was their
 * programs that could not be found or used.
 */
function hidden(work: string, packages: readonly string[]): string[] {
  if (!existsSync(INSTALLED)) return [];
  const isWanted = (stanza: string) => {
    const [, name = ''] = /^Package: (.*)$/m.exec(stanza) ?? [];
    return packages.some((wanted) => name === wanted || name.startsWith(`${wanted}-`));
  };
  const others = readFileSync(INSTALLED, 'utf8')
    .split('\n\n')
    .filter((stanza) => !isWanted(stanza));
  writeFileSync(join(work, 'status'), others.join('\n\n'));
  return [`Dir::State::status=${join(work, 'status')}`];
}

/** Names from the plan of `apt-get -s install`: `Inst name (version …)`, or `Inst name [present] (version …)`. */
function neededOf(plan: string): string[] {
  const lines = plan.split('\n').filter((line) => line.startsWith('Inst '));
  return lines
    .map((line) => line.split(' ')[1] ?? '')
    .filter((name) => !NOT_NEEDED.test(name) && !/^libc6|^libc-bin/.test(name));
}

/** Debian's `erl` script contains its absolute path. */
function relocateErlang(draft: string, tree: string): void {
  const erlang = join(draft, 'usr/lib/erlang');
  if (!existsSync(erlang)) return;
  const runtime = readdirSync(erlang).filter((entry) => entry.startsWith('erts-'));
  for (const bin of ['bin', ...runtime.map((entry) => join(entry, 'bin'))]) {
    const script = join(erlang, bin, 'erl');
    const text = readFileSync(script, 'utf8');
    writeFileSync(script, text.replaceAll('/usr/lib/erlang', join(tree, 'usr/lib/erlang')));
  }
}

function removeAbandoned(cache: string): void {
  for (const entry of readdirSync(cache)) {
    const [, pid, startTime = ''] = /^\.unpack-(\d+)-(\d+)-/.exec(entry) ?? [];
    if (pid === undefined || isRunning({ pid: Number(pid), startTime })) continue;
    rmSync(join(cache, entry), { recursive: true, force: true });
  }
}

function distribution(): string {
  try {
    const text = readFileSync('/etc/os-release', 'utf8');
    const value = (key: string) => new RegExp(`^${key}="?([^"\n]*)`, 'm').exec(text)?.[1] ?? '';
    return `${value('ID')}${value('VERSION_ID')}` || 'unknown';
  } catch {
    return 'unknown';
  }
}

function missing(packages: readonly string[], cause: unknown): Error {
  const absent = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
  const why = absent
    ? 'apt-get or dpkg-deb was not found'
    : `apt could not fetch it: ${String(cause instanceof Error && 'stderr' in cause ? cause.stderr : cause).trim()}`;
  return new Error(
    `The programs of ${packages.join(', ')} were not found here and could not be downloaded.\n${why}\n` +
      `Install ${packages.join(' and ')} (its service need not run), or start Docker, ` +
      'or set DATABASE_URL and AMQP_URL to servers that exist.',
    { cause },
  );
}
