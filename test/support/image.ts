import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from './broker.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const BASE = process.env.CDR_BASE_IMAGE ?? 'node:24-bookworm-slim';
export const STARTING_MS = 120_000;

const run = promisify(execFile);

/** Runs `docker` and returns what it prints; rejects with what it complains of. */
export async function docker(...args: string[]): Promise<string> {
  return (await run('docker', args, { maxBuffer: 64e6 })).stdout.trim();
}

/** The image, built of this tree, with a PostgreSQL and a RabbitMQ in a network of their own. */
export interface ImageSite {
  /** Of the image, the network, and at the beginning of each container's name. */
  name: string;
  services: { DATABASE_URL: string; AMQP_URL: string };
  /** Arguments that run the image as Kubernetes does: nothing may be written, no capability is left. */
  confined: (environment: Record<string, string>) => string[];
  /** A command of the image to its end, with its input. */
  once: (args: string[], input?: string, environment?: Record<string, string>) => Promise<Ended>;
  /** Starts a container, which `close` removes. Returns its name. */
  start: (suffix: string, ...args: string[]) => Promise<string>;
  /** Resolves when a container has written this to its log. */
  logged: (container: string, text: string) => Promise<void>;
  close: () => Promise<void>;
}

interface Ended {
  code: number | null;
  output: string;
}

export async function openImageSite(): Promise<ImageSite> {
  const name = `cdr-ingest-${randomBytes(4).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  const containers: string[] = [];
  const services = {
    DATABASE_URL: `postgresql://cdr:${password}@${name}-postgres:5432/cdr`,
    AMQP_URL: `amqp://cdr:${password}@${name}-rabbitmq:5672`,
  };
  const variables = (environment: Record<string, string>) =>
    Object.entries(environment).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
  const site: ImageSite = {
    name,
    services,
    confined: (environment) => [
      ...['--network', name, '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
      ...variables(environment),
    ],
    once: (args, input = '', environment = {}) =>
      ended(['run', '--rm', '-i', ...site.confined({ ...services, ...environment }), name, ...args], input),
    start: async (suffix, ...args) => {
      const container = `${name}-${suffix}`;
      containers.push(container);
      await docker('run', '--detach', '--name', container, ...args);
      return container;
    },
    logged: (container, text) =>
      until(async () => (await run('docker', ['logs', container])).stderr.includes(text), STARTING_MS),
    close: async () => {
      for (const container of containers) await docker('rm', '--force', '--volumes', container);
      await docker('network', 'rm', name);
      await docker('rmi', '--no-prune', name);
    },
  };
  await docker('build', '--network', 'host', '--build-arg', `BASE=${BASE}`, '--tag', name, ROOT);
  await docker('network', 'create', name);
  const postgres = { POSTGRES_USER: 'cdr', POSTGRES_PASSWORD: password, POSTGRES_DB: 'cdr', LANG: 'C.UTF-8' };
  const rabbitmq = { RABBITMQ_DEFAULT_USER: 'cdr', RABBITMQ_DEFAULT_PASS: password };
  const inNetwork = (environment: Record<string, string>) => ['--network', name, ...variables(environment)];
  const { CDR_POSTGRES_IMAGE = 'postgres:17', CDR_RABBITMQ_IMAGE = 'rabbitmq:4-management' } = process.env;
  await site.start('postgres', ...inNetwork(postgres), CDR_POSTGRES_IMAGE);
  await site.start('rabbitmq', ...inNetwork(rabbitmq), CDR_RABBITMQ_IMAGE);
  return site;
}

function ended(args: string[], input: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn('docker', args, { stdio: ['pipe', 'pipe', 'pipe'] });
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
