import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { readConfig, type VariableName, variables } from '../../src/config.ts';
import {
  hasKubectl,
  type Manifest,
  ofKind,
  only,
  overlays,
  ownPods,
  rendered,
  stores,
  wholeProduction,
} from './manifests.ts';

const names = ['DATABASE_POOL', 'STATEMENT_TIMEOUT_MS', 'CONFIRM_TIMEOUT_MS', 'SHUTDOWN_GRACE_MS'] as const;
const configMap = z.looseObject({ data: z.record(z.string(), z.string()) });
const deployment = z.looseObject({
  spec: z.looseObject({
    strategy: z.looseObject({ rollingUpdate: z.looseObject({ maxSurge: z.number().int() }) }),
  }),
});
const scaledObject = z.looseObject({
  spec: z.looseObject({
    maxReplicaCount: z.number().int(),
    minReplicaCount: z.number().int(),
    triggers: z.array(z.looseObject({ metadata: z.record(z.string(), z.string()) })),
  }),
});
const cluster = z.looseObject({
  spec: z.looseObject({
    instances: z.number(),
    postgresql: z.looseObject({
      synchronous: z.looseObject({ number: z.number(), dataDurability: z.string() }),
      parameters: z.record(z.string(), z.string()),
    }),
  }),
});
function settingsOf(manifests: readonly Manifest[]) {
  const [map] = ofKind(manifests, 'ConfigMap').filter(
    ({ metadata }) => metadata.name.startsWith('cdr-ingest') && !metadata.name.endsWith('dashboard'),
  );
  return configMap.parse(map).data;
}

describe.skipIf(!hasKubectl).each([...overlays, ...stores])('kubectl kustomize of %s', (overlay) => {
  it('puts every object into one namespace', () => {
    const others = rendered(overlay).filter(({ kind }) => kind !== 'Namespace');
    expect(others.length).toBeGreaterThan(5);
    expect(new Set(others.map(({ metadata }) => metadata.namespace))).toEqual(
      new Set([overlay === 'dev' ? 'cdr-ingest-dev' : 'cdr-ingest']),
    );
  });
});

describe.skipIf(!hasKubectl).each(overlays)('the workers of %s', (overlay) => {
  const manifests = hasKubectl ? rendered(overlay) : [];

  it('sets only values that the program accepts', () => {
    const settings = settingsOf(manifests);
    expect(Object.keys(settings).filter((name) => !(name in variables))).toEqual([]);
    expect(() => readConfig(Object.keys(settings) as VariableName[], settings)).not.toThrow();
  });

  it('gives a worker time to persist, confirm and drain before it is killed', () => {
    const config = readConfig(names, settingsOf(manifests));
    const worker = ownPods(manifests).find(({ of }) => of === 'Deployment cdr-ingest');
    const graceMs = (worker?.pod.terminationGracePeriodSeconds ?? 0) * 1000;
    expect(graceMs).toBeGreaterThanOrEqual(config.STATEMENT_TIMEOUT_MS + config.CONFIRM_TIMEOUT_MS + 10_000);
    expect(graceMs).toBeGreaterThan(config.SHUTDOWN_GRACE_MS);
  });
});

/** Every image in an object, in whichever field its kind has it. */
function imagesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([field, inner]: [string, unknown]) =>
    /^image(Name)?$/.test(field) && typeof inner === 'string' ? [inner] : imagesIn(inner),
  );
}

describe.skipIf(!hasKubectl).each([...overlays, ...stores])('the images of %s', (overlay) => {
  it('are named by minor version, so that no node pulls another one than its neighbour', () => {
    const images = rendered(overlay).flatMap(imagesIn);
    // What is tried out is what was built on the spot.
    const floating = images.filter((image) => !/:\d+\.\d+/.test(image) && image !== 'cdr-ingest:dev');
    expect(floating).toEqual([]);
    if (overlay !== 'production-topology') expect(images).not.toEqual([]);
  });
});

describe.skipIf(!hasKubectl)('production', () => {
  const manifests = hasKubectl ? wholeProduction() : [];

  it('never opens more database connections than the database allows', () => {
    const { maxReplicaCount } = scaledObject.parse(only(manifests, 'ScaledObject', 'cdr-ingest')).spec;
    const { maxSurge } = deployment.parse(only(manifests, 'Deployment', 'cdr-ingest')).spec.strategy
      .rollingUpdate;
    const { parameters } = cluster.parse(only(manifests, 'Cluster', 'cdr-postgresql')).spec.postgresql;
    const { DATABASE_POOL } = readConfig(['DATABASE_POOL'], settingsOf(manifests));
    // A fifth is left to operators, migrations, what runs by the clock, replication and backups.
    const allowed = Number(parameters.max_connections) * 0.8;
    const consoles = 1;
    expect((maxReplicaCount + maxSurge + consoles) * DATABASE_POOL).toBeLessThan(allowed);
  });

  it('never scales to zero, and counts unacknowledged messages', () => {
    const { minReplicaCount, triggers } = scaledObject.parse(
      only(manifests, 'ScaledObject', 'cdr-ingest'),
    ).spec;
    expect(minReplicaCount).toBeGreaterThanOrEqual(2);
    expect(triggers.map(({ metadata }) => metadata)).toMatchObject([
      { protocol: 'http', queueName: 'cdrs.create', excludeUnacknowledged: 'false' },
    ]);
  });

  it('keeps the workers that there are when nobody can count the backlog', () => {
    expect(only(manifests, 'ScaledObject', 'cdr-ingest').spec).toMatchObject({
      fallback: { replicas: 4, behavior: 'currentReplicasIfHigher' },
    });
  });

  it('lets a node be drained of workers that are not ready', () => {
    expect(only(manifests, 'PodDisruptionBudget', 'cdr-ingest').spec).toMatchObject({
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    });
  });

  it('gives the broker no setting that RabbitMQ 4.3 takes without effect', () => {
    const { spec } = only(manifests, 'RabbitmqCluster', 'cdr-rabbitmq');
    expect(JSON.stringify(spec)).not.toContain('cluster_partition_handling');
  });

  it('checks the certificate of the database against the CA of CloudNativePG', () => {
    for (const { of, pod } of ownPods(manifests)) {
      const [file] = pod.containers.flatMap(({ env }) =>
        env.filter(({ name }) => name === 'DATABASE_TLS_CA_FILE'),
      );
      expect({ of, file: file?.value }).toEqual({ of, file: '/run/secrets/cdr-ingest/database-ca.crt' });
      expect(JSON.stringify(pod.volumes)).toContain('"items":[{"key":"ca.crt","path":"database-ca.crt"}]');
    }
  });

  it('has every commit on a standby before it is acknowledged', () => {
    const { instances, postgresql } = cluster.parse(only(manifests, 'Cluster', 'cdr-postgresql')).spec;
    expect(instances).toBe(3);
    expect(postgresql.synchronous).toMatchObject({ number: 1, dataDurability: 'required' });
  });
});
