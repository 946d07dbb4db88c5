import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { hasKubectl, ofKind, only, rendered } from './manifests.ts';

const readme = readFileSync(new URL('../../k8s/README.md', import.meta.url), 'utf8');

/** The part below this heading. */
function section(heading: string): string {
  const from = readme.slice(readme.indexOf(`## ${heading}\n`));
  return from.slice(0, from.indexOf('\n## ', 1));
}

const user = z.looseObject({
  spec: z.looseObject({ importCredentialsSecret: z.strictObject({ name: z.string() }) }),
});
const labelled = z.looseObject({ metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }) });

describe.skipIf(!hasKubectl)('k8s/README.md', () => {
  it('labels every secret that the topology operator reads', () => {
    const [, names = ''] =
      /label secret ([^\\]*)\\\n\s+rabbitmq\.com\/topology-operator=true/.exec(readme) ?? [];
    const imported = ofKind(rendered('production-topology'), 'User').map(
      (manifest) => user.parse(manifest).spec.importCredentialsSecret.name,
    );
    expect(names.trim().split(/\s+/).sort()).toEqual(imported.sort());
  });

  it('applies stores, topology and workers, in this order', () => {
    const applied = [...section('Production').matchAll(/^kubectl apply -[kf] (\S+)/gm)].map(
      ([, path]) => path,
    );
    expect(applied).toEqual([
      'k8s/namespace.yaml',
      'k8s/overlays/production-stores',
      'k8s/overlays/production-topology',
      'k8s/overlays/production',
    ]);
  });

  it('gives objects of the Prometheus Operator the label by which it selects them', () => {
    const [, patches = ''] = /```yaml\n(patches:.*?)```/s.exec(section('Monitoring')) ?? [];
    const found = (['production', 'production-stores'] as const).flatMap((overlay) =>
      rendered(overlay, patches).filter(({ apiVersion }) => apiVersion.startsWith('monitoring.coreos.com/')),
    );
    expect(found.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort()).toEqual([
      'PodMonitor cdr-ingest',
      'PodMonitor cdr-postgresql',
      'PodMonitor cdr-rabbitmq',
      'PrometheusRule cdr-ingest',
    ]);
    for (const manifest of found)
      expect(labelled.parse(manifest).metadata.labels).toMatchObject({ release: 'kube-prometheus-stack' });
  });

  it('changes the password of the worker by a second user, which the objects have', () => {
    const text = section('A new password of the worker at the broker');
    const both = rendered(
      'production-topology',
      'namespace: cdr-ingest\ncomponents: [K8S/components/worker-user-2]',
    );
    for (const name of ['cdr-worker', 'cdr-worker-2']) {
      const { importCredentialsSecret } = user.parse(only(both, 'User', name)).spec;
      expect(only(both, 'Permission', name).spec).toMatchObject({ userReference: { name } });
      expect(text).toContain(`user.rabbitmq.com/${name} `);
      expect(text).toContain(`permission.rabbitmq.com/${name}`);
      expect(text).toContain(
        `secret${name.endsWith('-2') ? ' generic ' : '/'}${importCredentialsSecret.name}`,
      );
    }
    const kustomization = readFileSync(
      new URL('../../k8s/overlays/production/kustomization.yaml', import.meta.url),
      'utf8',
    );
    expect(kustomization).toMatch(/sources\/1\/secret\/name\n\s+value: cdr-ingest-broker\n/);
  });
});
