import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { hasKubectl, only, overlays, ownPods, type Pod, rendered } from './manifests.ts';

const sources = z.array(
  z.looseObject({
    projected: z.looseObject({
      sources: z.array(
        z.looseObject({
          secret: z.looseObject({
            name: z.string(),
            items: z.array(z.looseObject({ key: z.string(), path: z.string() })),
          }),
        }),
      ),
    }),
  }),
);

/** The secret that a pod has its database's URL from. */
function databaseSecretOf({ volumes }: Pod): string[] {
  return sources
    .parse(volumes)
    .flatMap(({ projected }) => projected.sources)
    .flatMap(({ secret }) => (secret.items.some(({ path }) => path === 'database-url') ? [secret.name] : []));
}

const cluster = z.looseObject({
  spec: z.looseObject({
    managed: z.looseObject({
      roles: z.array(
        z.looseObject({
          name: z.string(),
          login: z.literal(true),
          passwordSecret: z.looseObject({ name: z.string() }),
        }),
      ),
    }),
  }),
});

describe.skipIf(!hasKubectl).each(overlays)('the roles of the database in %s', (overlay) => {
  const pods = hasKubectl ? ownPods(rendered(overlay)) : [];

  it('are one per part, with the owner only for the migration', () => {
    const owner = overlay === 'production' ? 'cdr-postgresql-app' : 'cdr-ingest-database';
    expect(Object.fromEntries(pods.map(({ of, pod }) => [of, databaseSecretOf(pod)]))).toEqual({
      'Deployment cdr-ingest': ['cdr-worker-database'],
      'Deployment cdr-ingest-console': ['cdr-console-database'],
      'Job cdr-ingest-migrate': [owner],
      'CronJob cdr-ingest-reconcile': ['cdr-upkeep-database'],
      'CronJob cdr-ingest-prune': ['cdr-upkeep-database'],
      'CronJob cdr-ingest-dead-prune': ['cdr-upkeep-database'],
    });
  });

  it('exist before the migration grants them anything', () => {
    const args = pods.find(({ of }) => of === 'Job cdr-ingest-migrate')?.pod.containers[0]?.args ?? [];
    const granted = args.flatMap((arg) => arg.split('=')[1] ?? []);
    expect(granted).toHaveLength(3);
    if (overlay === 'production') {
      const { roles } = cluster.parse(only(rendered('production-stores'), 'Cluster', 'cdr-postgresql')).spec
        .managed;
      expect(roles.map(({ name }) => name)).toEqual(granted);
      expect(roles.map(({ passwordSecret }) => passwordSecret.name)).toEqual(
        granted.map((name) => `${name.replace('_', '-')}-database`),
      );
    } else {
      const script = readFileSync(new URL('../../k8s/overlays/dev/roles.sh', import.meta.url), 'utf8');
      const made = [...script.matchAll(/create role (\w+) login/g)].map(([, name]) => name);
      expect(made).toEqual(granted);
    }
  });
});
