import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { variables } from '../../src/config.ts';
import { hasKubectl, ofKind, only, ownPods, rendered, written } from './manifests.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const readme = readFileSync(new URL('../../k8s/README.md', import.meta.url), 'utf8');
const manifests = written();
const pods = ownPods(manifests);

const cronJob = z.looseObject({
  spec: z.looseObject({
    schedule: z.string(),
    suspend: z.boolean().default(false),
    concurrencyPolicy: z.string(),
  }),
});

describe('the commands of the manifests', () => {
  it('are the worker, migration, topology, reconcile, pruning and the console', () => {
    expect(pods.map(({ pod }) => pod.containers.flatMap(({ args }) => args).join(' ')).sort()).toEqual([
      'console',
      'dead prune --older-than 90d',
      'migrate --grant worker=cdr_worker console=cdr_console upkeep=cdr_upkeep',
      'prune --months 24',
      'reconcile',
      'worker',
    ]);
  });

  it.each(pods)('are accepted by the program as $of has them', ({ pod }) => {
    for (const { args } of pod.containers) {
      const { status, stderr } = spawnSync(process.execPath, [CLI, ...args], { env: {}, encoding: 'utf8' });
      // Wrong arguments would be what it says first; with right ones it is the variables that are missing.
      expect({ status, stderr }).toEqual({
        status: 2,
        stderr: expect.stringMatching(/^cdr-ingest: DATABASE_URL is missing/),
      });
      expect(stderr).not.toContain('--help');
    }
  });
});

describe('the cron jobs', () => {
  const jobs = ofKind(manifests, 'CronJob').map(({ metadata, ...rest }) => ({
    name: metadata.name,
    ...cronJob.parse(rest).spec,
  }));

  it('reconcile every night, and prune nothing until that is configured', () => {
    expect(jobs.map(({ name, suspend }) => [name, suspend]).sort()).toEqual([
      ['cdr-ingest-dead-prune', true],
      ['cdr-ingest-prune', true],
      ['cdr-ingest-reconcile', false],
    ]);
    const { schedule } = jobs.find(({ name }) => name === 'cdr-ingest-reconcile') ?? {};
    expect(schedule).toMatch(/^\d+ \d+ \* \* \*$/);
  });

  it.skipIf(!hasKubectl)('prune when patched as k8s/README.md says', () => {
    const [, patch = ''] = /```yaml\n(- target:.*?)```/s.exec(readme) ?? [];
    const job = only(rendered('production', `patches:\n${patch}`), 'CronJob', 'cdr-ingest-prune');
    expect(cronJob.parse(job).spec.suspend).toBe(false);
    expect(ownPods([job])).toMatchObject([{ pod: { containers: [{ args: ['prune', '--months', '36'] }] } }]);
  });

  it('prune keeps the calls of the invoices that the worker takes for open ones', () => {
    const { spec } = only(manifests, 'CronJob', 'cdr-ingest-prune');
    expect(JSON.stringify(spec)).toContain('"envFrom":[{"configMapRef":{"name":"cdr-ingest"}}]');
  });

  it('never run twice at the same time', () => {
    expect(jobs.map(({ concurrencyPolicy }) => concurrencyPolicy)).toEqual(jobs.map(() => 'Forbid'));
  });
});

describe('the console', () => {
  const port = z.looseObject({ name: z.string(), containerPort: z.number() });
  const container = z.looseObject({ ports: z.array(port) });
  const console = pods.find(({ of }) => of === 'Deployment cdr-ingest-console')?.pod.containers[0];

  it('listens on the port of its Service, and not only on the loopback address', () => {
    const [listening] = container.parse(console).ports;
    const given = Object.fromEntries((console?.env ?? []).map(({ name, value }) => [name, value]));
    expect(variables.CONSOLE_HOST.fallback).toBe('127.0.0.1');
    expect(given).toMatchObject({ CONSOLE_HOST: '0.0.0.0', CONSOLE_PORT: String(listening?.containerPort) });
    const service = only(manifests, 'Service', 'cdr-ingest-console');
    expect(service).toMatchObject({ spec: { ports: [{ targetPort: listening?.name }] } });
  });

  it('is one process, reachable only through the proxy with TLS', () => {
    const deployment = only(manifests, 'Deployment', 'cdr-ingest-console');
    expect(deployment).toMatchObject({ spec: { replicas: 1, strategy: { type: 'Recreate' } } });
    const policy = only(manifests, 'NetworkPolicy', 'cdr-ingest-console');
    const proxy = { matchLabels: { 'kubernetes.io/metadata.name': 'ingress-nginx' } };
    expect(policy).toMatchObject({
      spec: {
        podSelector: { matchLabels: { 'app.kubernetes.io/component': 'console' } },
        ingress: [{ from: [{ namespaceSelector: proxy }], ports: [{ port: 'console' }] }],
      },
    });
    expect(ofKind(manifests, 'Ingress')).toEqual([]);
  });
});
