import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { hasKubectl, type Manifest, overlays, rendered, stores, written } from './manifests.ts';
import { validateRabbitmqKind } from './rabbitmq-kinds.ts';

/** Where the published schema of an API is, if it is installed. */
const packages = new Map([
  ['v1', 'kubernetes-models/v1'],
  ['apps/v1', 'kubernetes-models/apps/v1'],
  ['batch/v1', 'kubernetes-models/batch/v1'],
  ['policy/v1', 'kubernetes-models/policy/v1'],
  ['networking.k8s.io/v1', 'kubernetes-models/networking.k8s.io/v1'],
  ['keda.sh/v1alpha1', '@kubernetes-models/keda/keda.sh/v1alpha1'],
  ['postgresql.cnpg.io/v1', '@kubernetes-models/cloudnative-pg/postgresql.cnpg.io/v1'],
  ['monitoring.coreos.com/v1', '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'],
]);
const RABBITMQ = 'rabbitmq.com/v1beta1';

const modelSchema = z.custom<new (data: object) => { validate: () => void }>(
  (value) => typeof value === 'function',
);

/** Throws, with the path and what was expected, when the object is not what its API takes. */
async function validate({ apiVersion, kind, ...rest }: Manifest): Promise<void> {
  if (apiVersion === RABBITMQ) return validateRabbitmqKind(kind, rest.spec);
  const name = packages.get(apiVersion);
  if (name === undefined) throw new Error(`expected an API with a published schema, got ${apiVersion}`);
  const models: Record<string, unknown> = await import(name);
  const Model = modelSchema.parse(models[kind]);
  new Model({ apiVersion, kind, ...rest }).validate();
}

const cluster = { rabbitmqClusterReference: { name: 'c' } };

const isInstalled = await Promise.all([...packages.values()].map((name) => import(name))).then(
  () => true,
  () => false,
);

describe.skipIf(!isInstalled)('the published schemas', () => {
  // The files too: components that no overlay lists are only there.
  const sources = [
    { source: 'the files', manifests: written() },
    ...(hasKubectl
      ? [...overlays, ...stores].map((overlay) => ({ source: overlay, manifests: rendered(overlay) }))
      : []),
  ];
  const objects = sources.flatMap(({ source, manifests }) =>
    manifests.map((manifest) => ({ source, kind: manifest.kind, name: manifest.metadata.name, manifest })),
  );

  it.each(objects)('of $source accept $kind $name', async ({ manifest }) => {
    await validate(manifest);
  });

  it('refuse invalid manifests', async () => {
    const wrong = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec: { ports: 'http' } };
    await expect(validate(wrong)).rejects.toThrow('ports');
    const dropped = {
      apiVersion: RABBITMQ,
      kind: 'Exchange',
      metadata: { name: 'a' },
      spec: { ...cluster, name: 'a', vhost: 'v', type: 'topic', deletionPolicy: 'retain' },
    };
    await expect(validate(dropped)).rejects.toThrow('deletionPolicy');
  });
});
