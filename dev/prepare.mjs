// Prepares a checkout for a task: packages, generated database client, build. No dependencies.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const MODULES = join(ROOT, 'node_modules');
const LOCK = join(ROOT, '.cache', 'bootstrap.lock');
const LOCK_EXPIRES_MS = 15 * 60_000;

const BIN = {
  biome: '@biomejs/biome/bin/biome',
  prisma: 'prisma/build/index.js',
  tsc: 'typescript/bin/tsc',
  vitest: 'vitest/vitest.mjs',
};

/** Node's arguments for running a tool of node_modules. */
export function tool(name, ...args) {
  return [join(MODULES, BIN[name]), ...args];
}

/** Reports progress on stderr; standard output belongs to the task. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** Exits with an error message. */
export function fail(line) {
  say(line);
  process.exit(1);
}

/** Runs a preparing step with its output on stderr; returns whether it succeeded. */
function succeeds(title, command, args, env = {}) {
  say(title);
  const { status, error } = spawnSync(command, args, {
    cwd: ROOT,
    stdio: ['ignore', process.stderr, process.stderr],
    env: { ...process.env, ...env },
  });
  if (error) fail(`${command} could not be run: ${error.message}`);
  return status === 0;
}

/** Runs a preparing step and exits if it fails. */
function prepare(title, command, args, env) {
  if (!succeeds(title, command, args, env)) fail(`${title}: failed`);
}

/** Does the work unless the stamp says that it has been done for the same input. */
function unlessStamped(stamp, input, work) {
  const value = createHash('sha256').update(input).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === value) return;
  work();
  writeFileSync(stamp, value);
}

/** Whether node_modules was installed by npm itself, without our stamp, and matches the lock file. */
function isInstalled(lockText) {
  try {
    const wanted = JSON.parse(lockText).packages;
    const present = JSON.parse(readFileSync(join(MODULES, '.package-lock.json'), 'utf8')).packages;
    return Object.entries(wanted).every(
      ([path, entry]) => path === '' || entry.optional || present[path]?.integrity === entry.integrity,
    );
  } catch {
    return false;
  }
}

function install() {
  const lockText = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  unlessStamped(join(MODULES, '.cdr-ingest-stamp'), lockText, () => {
    if (isInstalled(lockText)) return;
    const npm = process.env.npm_execpath?.endsWith('npm-cli.js')
      ? [process.execPath, process.env.npm_execpath]
      : ['npm'];
    // NODE_ENV=production would leave out the development packages. No package here needs its install script, and
    // some try to compile or download more.
    const options = ['--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const [command, ...first] = npm;
    if (succeeds('Installing packages (npm ci)', command, [...first, 'ci', ...options])) return;
    // npm 11 refuses a lock file without the binaries for every platform, which not every registry has. This installs
    // the same versions and writes no file.
    const title = 'npm ci has failed; installing with npm install instead';
    prepare(title, command, [...first, 'install', '--no-save', ...options]);
  });
}

function generate() {
  const schema = readFileSync(join(ROOT, 'prisma/schema.prisma'), 'utf8');
  const { version } = JSON.parse(readFileSync(join(MODULES, 'prisma/package.json'), 'utf8'));
  const output = join(ROOT, 'src/store/generated');
  const stamp = join(MODULES, '.cdr-ingest-prisma-stamp');
  if (!existsSync(output)) rmSync(stamp, { force: true });
  unlessStamped(stamp, `${version}\n${schema}`, () => {
    prepare('Generating the database client', process.execPath, tool('prisma', 'generate'), {
      // Prisma would download an engine that `generate` never runs. Any existing file prevents that.
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
      CHECKPOINT_DISABLE: '1',
    });
  });
}

function build() {
  prepare('Building dist', process.execPath, [join(ROOT, 'dev/bundle.mjs')]);
}

/** Two scripts started at once would install over each other. */
async function locked(work) {
  mkdirSync(dirname(LOCK), { recursive: true });
  for (let waiting = false; ; ) {
    try {
      writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (holderIsGone()) rmSync(LOCK, { force: true });
    else {
      if (!waiting) say(`Waiting for another script that is preparing this checkout (${LOCK})`);
      waiting = true;
      await delay(200);
    }
  }
  // fail() exits from within.
  const release = () => rmSync(LOCK, { force: true });
  process.once('exit', release);
  work();
  process.off('exit', release);
  release();
}

function holderIsGone() {
  try {
    // The process id may be reused by now, or come from another container.
    if (Date.now() - statSync(LOCK).mtimeMs > LOCK_EXPIRES_MS) return true;
    process.kill(Number(readFileSync(LOCK, 'utf8')), 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH' || error.code === 'ENOENT';
  }
}

/** Does what has not been done yet; with `build` it also builds dist. */
export async function prepareCheckout({ build: withBuild }) {
  await locked(() => {
    install();
    generate();
    if (withBuild) build();
  });
}
