import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/broker.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BASE = process.env.CDR_BASE_IMAGE ?? 'node:24-bookworm-slim';
const LARGEST_BEYOND_BASE = 60e6;
const STARTING_MS = 120_000;

const run = promisify(execFile);
const name = `cdr-ingest-${randomBytes(4).toString('hex')}`;
const password = randomBytes(12).toString('hex');
const containers = new Set<string>();

/** Runs `docker` and returns what it prints; rejects with what it complains of. */
async function docker(...args: string[]): Promise<string> {
  return (await run('docker', args, { maxBuffer: 64e6 })).stdout.trim();
}

const services = {
  DATABASE_URL: `postgresql://cdr:${password}@${name}-postgres:5432/cdr`,
  AMQP_URL: `amqp://cdr:${password}@${name}-rabbitmq:5672`,
};

/** Arguments that run the image as Kubernetes does: nothing may be written, no capability is left. */
function confined(environment: Record<string, string>): string[] {
  return [
    ...['--network', name, '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
    ...Object.entries(environment).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
  ];
}

/** A command of the image to its end, with its input. */
function once(args: string[], input = '', environment: Record<string, string> = {}) {
  return new Promise<{ code: number | null; output: string }>((resolve, reject) => {
    const all = ['run', '--rm', '-i', ...confined({ ...services, ...environment }), name, ...args];
    const child = spawn('docker', all, { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
    child.stdin.end(input);
  });
}

async function start(suffix: string, ...args: string[]): Promise<void> {
  containers.add(`${name}-${suffix}`);
  await docker('run', '--detach', '--name', `${name}-${suffix}`, ...args);
}

/** Resolves when a container has written this to its log. */
async function logged(container: string, text: string): Promise<void> {
  await until(async () => (await run('docker', ['logs', container])).stderr.includes(text), STARTING_MS);
}

beforeAll(async () => {
  await docker('build', '--network', 'host', '--build-arg', `BASE=${BASE}`, '--tag', name, ROOT);
  await docker('network', 'create', name);
  const [user, secret] = ['cdr', password];
  const postgres = [
    '--env',
    `POSTGRES_USER=${user}`,
    '--env',
    `POSTGRES_PASSWORD=${secret}`,
    '--env',
    'POSTGRES_DB=cdr',
    '--env',
    'LANG=C.UTF-8',
  ];
  const rabbitmq = ['--env', `RABBITMQ_DEFAULT_USER=${user}`, '--env', `RABBITMQ_DEFAULT_PASS=${secret}`];
  await start('postgres', '--network', name, ...postgres, process.env.CDR_POSTGRES_IMAGE ?? 'postgres:17');
  await start(
    'rabbitmq',
    ...['--network', name, ...rabbitmq, process.env.CDR_RABBITMQ_IMAGE ?? 'rabbitmq:4-management'],
  );
}, 1_800_000);
afterAll(async () => {
  for (const container of containers) await docker('rm', '--force', '--volumes', container);
  await docker('network', 'rm', name);
  await docker('rmi', '--no-prune', name);
});

describe('the image', () => {
  it('contains only what the program loads, at most 60 MB beyond its base image', async () => {
    const size = async (image: string) =>
      Number(await docker('image', 'inspect', image, '--format', '{{.Size}}'));
    const beyond = (await size(name)) - (await size(BASE));
    const list = ['run', '--rm', '--entrypoint', 'find', name, '/app', '-type', 'f'];
    const files = (await docker(...list)).split('\n');
    for (const absent of [
      /\/typescript\//,
      /\/vitest\//,
      /\/node_modules\/prisma\//,
      /\/tsx\//,
      /query_engine|schema-engine-/,
    ])
      expect(files.filter((file) => absent.test(file) && !file.includes('schema-engine-wasm'))).toEqual([]);
    expect(files.filter((file) => file.endsWith('.node')).every((file) => file.includes('argon2'))).toBe(
      true,
    );
    console.log(JSON.stringify({ megabytesBeyondBase: Math.round(beyond / 1e5) / 10, files: files.length }));
    expect(beyond).toBeLessThan(LARGEST_BEYOND_BASE);
  });

  it('migrates, serves and stops as an unprivileged user on a read-only file system under an init process', async () => {
    await until(async () => (await once(['migrate'])).code === 0, STARTING_MS);
    await until(async () => (await once(['topology'])).code === 0, STARTING_MS);
    expect(await once(['user', 'add', 'switch', '--role', 'system'], 'correct horse\n')).toMatchObject({
      code: 0,
    });

    const begun = performance.now();
    await start('worker', ...confined(services), name);
    const worker = `${name}-worker`;
    await logged(worker, '"state":"consuming"');
    const startUpMs = Math.round(performance.now() - begun);

    expect(await docker('exec', worker, 'id', '-u')).toBe('1000');
    expect(await docker('exec', worker, 'cat', '/proc/1/comm')).toBe('tini');
    await expect(docker('exec', worker, 'touch', '/app/written')).rejects.toThrow('Read-only file system');
    const call = { uniqueid: 'image.1', machine: 'm', start: 1, scustomer: 1 };
    const sender = { CDR_USERNAME: 'switch', CDR_PASSWORD: 'correct horse' };
    const published = await once(['publish', '-'], JSON.stringify(call), sender);
    // The customer is unknown: what matters is that the answer came all the way from the database.
    expect(published).toMatchObject({ code: 1, output: expect.stringContaining('400 scustomer') });
    expect(await once(['doctor'])).toMatchObject({ code: 0 });
    const health = ['inspect', worker, '--format', '{{.State.Health.Status}}'];
    await until(async () => (await docker(...health)) === 'healthy', STARTING_MS);
    await docker('stop', '--time', '60', worker);
    expect(await docker('inspect', worker, '--format', '{{.State.ExitCode}}')).toBe('0');
    console.log(JSON.stringify({ startUpMs }));
  });

  it('serves the console, which shows the dead letters of the worker', async () => {
    const listed = await once(['dead', 'list', '--json']);
    expect(listed).toMatchObject({ code: 0, output: expect.stringContaining('"uniqueid":"image.1"') });
    const added = await once(['user', 'add', 'boss', '--role', 'operator'], 'battery staple\n');
    expect(added).toMatchObject({ code: 0 });

    const published = ['--publish', '127.0.0.1::8081', '--no-healthcheck'];
    await start(
      'console',
      ...published,
      ...confined({ ...services, CONSOLE_HOST: '0.0.0.0' }),
      name,
      'console',
    );
    const consoleContainer = `${name}-console`;
    const origin = `http://${await docker('port', consoleContainer, '8081/tcp')}`;
    const page = async (path: string, init?: RequestInit) => {
      const response = await fetch(`${origin}${path}`, { redirect: 'manual', ...init });
      return {
        status: response.status,
        cookie: response.headers.get('set-cookie'),
        text: await response.text(),
      };
    };
    await logged(consoleContainer, 'serving the console');
    expect(await page('/sign-in')).toMatchObject({
      status: 200,
      text: expect.stringContaining('name="password"'),
    });
    const form = new URLSearchParams({ username: 'boss', password: 'battery staple' });
    const { status, cookie } = await page('/sign-in', { method: 'POST', body: form });
    expect(status).toBe(303);
    const session = { headers: { cookie: cookie?.split(';')[0] ?? '' } };
    expect((await page('/dead-letters', session)).text).toContain('image.1');
    await docker('stop', '--time', '60', consoleContainer);
    expect(await docker('inspect', consoleContainer, '--format', '{{.State.ExitCode}}')).toBe('0');
  });
});
