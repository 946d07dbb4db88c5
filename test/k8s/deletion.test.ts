import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { hasKubectl, type Manifest, ofKind, only, overlays, rendered, stores, written } from './manifests.ts';

/** What can be deleted and applied again without losing a call, a message, or a way by which they come. */
const WITHOUT_DATA = new Set([
  'ConfigMap',
  'CronJob',
  'Deployment',
  'Job',
  'NetworkPolicy',
  'PodDisruptionBudget',
  'PodMonitor',
  'PrometheusRule',
  'ScaledObject',
  'Service',
  'ServiceAccount',
  'TriggerAuthentication',
]);
/** Of the topology operator's kinds, those with messages in them; it keeps them in the broker if told to. */
const HOLDING_MESSAGES = ['Queue', 'Vhost'];

const annotated = z.looseObject({
  metadata: z.looseObject({ annotations: z.record(z.string(), z.string()) }),
});

function annotationsOf(manifest: Manifest): Record<string, string> {
  return annotated.safeParse(manifest).data?.metadata.annotations ?? {};
}

describe.skipIf(!hasKubectl)('kubectl delete -k', () => {
  it.each(['', 'namespace: cdr-ingest\ncomponents: [K8S/components/sources]'])(
    'of the workers deletes nothing that holds data (%j)',
    (more) => {
      const kinds = rendered('production', more === '' ? undefined : more).map(({ kind }) => kind);
      expect(kinds.filter((kind) => !WITHOUT_DATA.has(kind))).toEqual([]);
      expect(kinds).toContain('Deployment');
    },
  );

  it('of the topology leaves queues and their messages in the broker', () => {
    const manifests = rendered('production-topology');
    const holding = HOLDING_MESSAGES.flatMap((kind) => ofKind(manifests, kind));
    expect(holding).toHaveLength(4);
    for (const { spec } of holding) expect(spec).toMatchObject({ deletionPolicy: 'retain' });
    const known = new Set(['Binding', 'Exchange', 'Permission', 'Policy', 'User', ...HOLDING_MESSAGES]);
    expect(manifests.filter(({ kind }) => !known.has(kind))).toEqual([]);
  });

  it.each([...overlays, ...stores])(
    'of %s leaves the namespace, with which everything in it goes',
    (overlay) => {
      expect(ofKind(rendered(overlay), 'Namespace')).toEqual([]);
    },
  );

  it('of the stores leaves the volumes of RabbitMQ', () => {
    expect(only(rendered('production-stores'), 'RabbitmqCluster', 'cdr-rabbitmq')).toMatchObject({
      spec: {
        override: {
          statefulSet: {
            spec: { persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' } },
          },
        },
      },
    });
  });
});

/** What keeps Argo CD and Flux from deleting an object. */
const KEPT = {
  'argocd.argoproj.io/sync-options': 'Prune=false,Delete=false',
  'kustomize.toolkit.fluxcd.io/prune': 'disabled',
};

describe.skipIf(!hasKubectl).each(stores)('Argo CD and Flux', (overlay) => {
  it(`delete nothing of ${overlay}, whatever disappears from the repository`, () => {
    for (const manifest of rendered(overlay))
      expect(annotationsOf(manifest), `${manifest.kind} ${manifest.metadata.name}`).toMatchObject(KEPT);
  });
});

describe('Argo CD and Flux', () => {
  it('delete no namespace, and no server of a trial', () => {
    const kept = written().filter(({ kind }) => ['Namespace', 'StatefulSet'].includes(kind));
    expect(kept).toHaveLength(3);
    for (const manifest of kept) expect(annotationsOf(manifest)).toEqual(KEPT);
  });

  it.skipIf(!hasKubectl)('run the migration of each version again under its one name', () => {
    const job = only(rendered('production'), 'Job', 'cdr-ingest-migrate');
    expect(annotationsOf(job)).toEqual({
      'argocd.argoproj.io/hook': 'Sync',
      'argocd.argoproj.io/hook-delete-policy': 'BeforeHookCreation',
      'kustomize.toolkit.fluxcd.io/force': 'enabled',
    });
    // A Job that removes itself would be made again, and run again, whenever Flux compares.
    expect(job.spec).not.toHaveProperty('ttlSecondsAfterFinished');
  });
});
