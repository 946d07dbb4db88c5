import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { postgresBinaries, rabbitBinaries } from '../../dev/stack/binaries.ts';
import { cacheDirectory } from '../../dev/stack/places.ts';
import { ended, family, identify, isRunning, type ProcessId } from '../../dev/stack/process.ts';
import { answers } from '../../dev/stack/ready.ts';
import { readRecord, writeRecord } from '../../dev/stack/records.ts';
import { removeDeadRuns } from '../../dev/stack/run.ts';
import { connectStack, describeStack, type StackDescription, startStack } from '../../dev/stack.ts';
import { testServices, testStack } from '../support/stack.ts';

const PATIENCE_MS = 20_000;
const { way } = await testStack();

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  vi.unstubAllEnvs();
});

function temporaryDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'cdr-ingest-test-'));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function identityOf(child: ChildProcess): ProcessId {
  const id = identify(child.pid ?? 0);
  if (!id) throw new Error('the process has ended already');
  cleanups.push(() => child.kill('SIGKILL'));
  return id;
}

/** A process with a stack of its own; resolves when both servers answer. */
async function stackOwner(): Promise<{ owner: ProcessId; description: StackDescription }> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/support/stack-owner.ts'], {
    env: { ...process.env, CDR_STACK: 'local' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const owner = identityOf(child);
  const [line] = await once(createInterface(child.stdout), 'line');
  return { owner, description: JSON.parse(String(line)) as StackDescription };
}

/** The processes and directories that a stack consists of, by its records. */
function partsOf(description: StackDescription): { run: string; processes: ProcessId[]; dirs: string[] } {
  const run = dirname(description.records?.postgres ?? '');
  const records = readdirSync(run).map((name) => readRecord(join(run, name)));
  const local = records.filter((record) => record?.kind === 'local');
  return {
    run,
    processes: local.flatMap((record) => (record.process ? family(record.process) : [])),
    dirs: local.map((record) => record.dir),
  };
}

describe('the stack that tests and development share', () => {
  it('answers on both servers', async () => {
    const stack = await testStack();
    expect(await answers(stack.databaseUrl)).toBe(true);
    expect(await answers(stack.amqpUrl)).toBe(true);
  });

  it('gives every caller a database and a vhost of its own and takes them away again', async () => {
    const one = await testServices('same name');
    const two = await testServices('same name');
    expect(one.databaseUrl).not.toBe(two.databaseUrl);
    if (!one.shared) expect(one.amqpUrl).not.toBe(two.amqpUrl);
    await one.drop();
    expect(await answers(one.databaseUrl)).toBe(false);
    if (!one.shared) expect(await answers(one.amqpUrl)).toBe(false);
    expect(await answers(two.databaseUrl)).toBe(true);
    expect(await answers(two.amqpUrl)).toBe(true);
    await two.drop();
  });

  it('refuses to guess when only one of the two services is given', async () => {
    vi.stubEnv('CDR_STACK', '');
    vi.stubEnv('DATABASE_URL', 'postgresql://127.0.0.1/x');
    vi.stubEnv('AMQP_URL', '');
    await expect(startStack()).rejects.toThrow('AMQP_URL must be set too');
  });

  it('never controls or ends servers that were given', async () => {
    vi.stubEnv('CDR_STACK', '');
    vi.stubEnv('DATABASE_URL', 'postgresql://127.0.0.1/x');
    vi.stubEnv('AMQP_URL', 'amqp://127.0.0.1');
    const given = await connectStack(describeStack(await startStack()));
    expect(given.way).toBe('given');
    await expect(given.postgres.stop('hard')).rejects.toThrow('not ours to control');
    await given.stop();
  });

  it('says what to install when RabbitMQ cannot be had, and leaves no half unpacked package', async () => {
    const empty = temporaryDirectory();
    const cache = temporaryDirectory();
    mkdirSync(join(cache, '.unpack-999999999-1-abandoned'));
    const asking = rabbitBinaries(() => {}, { root: empty, env: { PATH: empty, CDR_CACHE_DIR: cache } });
    await expect(asking).rejects.toThrow(/apt-get .*not found\s+Install rabbitmq-server/);
    expect(readdirSync(cache)).toEqual([]);
  });
});

describe('PostgreSQL whose programs are hidden', () => {
  /** Stands for apt and dpkg: plans what is not installed, and unpacks a package to a program of this version. */
  function packageManager(version: string): NodeJS.ProcessEnv {
    const bin = temporaryDirectory();
    const cache = temporaryDirectory();
    chmodSync(cache, 0o755);
    const script = (name: string, ...lines: string[]) =>
      writeFileSync(join(bin, name), `#!/bin/sh\n${lines.join('\n')}\n`, { mode: 0o755 });
    script(
      'apt-get',
      `for arg; do case "$arg" in Dir::State::status=*) status="\${arg#*=}";; esac; done`,
      'case "$*" in',
      `*" install "*) grep -q '^Package: postgresql-15$' "\${status:-/var/lib/dpkg/status}" || echo 'Inst postgresql-15 (15)';;`,
      `*" download postgresql-15") touch postgresql-15.deb;;`,
      'esac',
    );
    script(
      'dpkg-deb',
      `mkdir -p "$3/usr/lib/postgresql/${version}/bin"`,
      `touch "$3/usr/lib/postgresql/${version}/bin/postgres"`,
    );
    return { PATH: `${bin}:/usr/bin:/bin`, CDR_CACHE_DIR: cache };
  }

  it('is unpacked beside, though apt knows it to be installed', async () => {
    const env = packageManager('15');
    const found = await postgresBinaries(() => {}, { root: temporaryDirectory(), env });
    expect(found.bin).toMatch(new RegExp(`^${env.CDR_CACHE_DIR}/.*/usr/lib/postgresql/15/bin$`));
  });

  it('is called old only where it is old, with its version', async () => {
    const search = { root: temporaryDirectory(), env: packageManager('13') };
    await expect(postgresBinaries(() => {}, search)).rejects.toThrow(
      "The distribution's PostgreSQL is 13, expected 15 or later. Start Docker",
    );
    const [tree = ''] = readdirSync(search.env.CDR_CACHE_DIR ?? '');
    rmSync(join(search.env.CDR_CACHE_DIR ?? '', tree, 'usr'), { recursive: true });
    await expect(postgresBinaries(() => {}, search)).rejects.toThrow(
      `${tree} has no programs of PostgreSQL: remove it, and it is unpacked anew.`,
    );
  });
});

describe.skipIf(way !== 'local')("a stack of this machine's own binaries", () => {
  it('leaves neither a process nor a file when it is stopped', async () => {
    vi.stubEnv('CDR_STACK', 'local');
    const stack = await startStack();
    const { run, processes, dirs } = partsOf(describeStack(stack));
    expect(processes.length).toBeGreaterThan(3);
    expect(dirs.filter(existsSync)).toHaveLength(3);
    await stack.stop();
    expect(processes.filter(isRunning)).toEqual([]);
    expect([run, ...dirs].filter(existsSync)).toEqual([]);
  });

  it('can be stopped, killed, frozen and started again from another process', async () => {
    const { description } = await stackOwner();
    const { postgres, rabbitmq, databaseUrl, amqpUrl } = await connectStack(description);

    await postgres.pause();
    expect(await answers(databaseUrl)).toBe(false);
    await postgres.resume();
    expect(await answers(databaseUrl)).toBe(true);

    await Promise.all([postgres.stop('hard'), rabbitmq.stop('hard')]);
    expect([postgres.pid, rabbitmq.pid]).toEqual([undefined, undefined]);
    expect([await answers(databaseUrl), await answers(amqpUrl)]).toEqual([false, false]);

    await Promise.all([postgres.start(), rabbitmq.start()]);
    expect([await answers(databaseUrl), await answers(amqpUrl)]).toEqual([true, true]);
  });

  it('is removed when its owner is killed', async () => {
    const { owner, description } = await stackOwner();
    const { run, processes, dirs } = partsOf(description);
    process.kill(owner.pid, 'SIGKILL');
    expect(await ended(processes, PATIENCE_MS)).toBe(true);
    await vi.waitUntil(() => ![run, ...dirs].some(existsSync), { timeout: PATIENCE_MS });
  });

  it('is removed by the next start when its owner and the reaper are both killed', async () => {
    const { owner, description } = await stackOwner();
    const { run, processes, dirs } = partsOf(description);
    const bystanders = family(owner).filter((id) => !processes.some(({ pid }) => pid === id.pid));
    for (const { pid } of bystanders.reverse()) process.kill(pid, 'SIGKILL');
    expect(await ended(bystanders, PATIENCE_MS)).toBe(true);
    expect(processes.filter(isRunning)).toEqual(processes);

    await stackOwner();
    expect(processes.filter(isRunning)).toEqual([]);
    expect([run, ...dirs].filter(existsSync)).toEqual([]);
  });

  it('never takes a process for its own that merely has a recorded number', async () => {
    const bystander = identityOf(spawn('sleep', ['600'], { stdio: 'ignore' }));
    const run = join(cacheDirectory(), 'runs', `test-${process.pid}`);
    mkdirSync(run);
    const record = {
      kind: 'local' as const,
      name: 'postgres',
      dir: join(temporaryDirectory(), 'not-its-directory'),
      command: 'sleep',
      args: [],
      env: {},
      cleanSignal: 'SIGINT' as const,
      discardSignal: 'SIGKILL' as const,
      urls: [],
    };
    const otherStart = { pid: bystander.pid, startTime: '1' };
    writeRecord(join(run, 'postgres-1.json'), { ...record, dir: process.cwd(), process: otherStart });
    writeRecord(join(run, 'postgres-2.json'), { ...record, process: bystander });
    writeFileSync(join(run, 'owner.json'), JSON.stringify(otherStart));

    await removeDeadRuns();
    expect(existsSync(run)).toBe(false);
    expect(isRunning(bystander)).toBe(true);
    expect(existsSync(process.cwd())).toBe(true);
  });
});
