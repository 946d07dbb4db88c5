import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { preset } from '../sources/feeds.ts';
import { hasKubectl, ofKind, only, ownPods, rendered, sourcesFile, written } from './manifests.ts';

const mounting = z.looseObject({ volumes: z.array(z.looseObject({ name: z.string() })) });
const permission = z.looseObject({
  permissions: z.strictObject({ configure: z.string(), write: z.string(), read: z.string() }),
});

/** Without the first line, which names the schema by its path. */
const withoutSchema = (text: string) => text.slice(text.indexOf('\n'));

describe('the components of feeds', () => {
  it('has the preset of FreeSWITCH as its sources file', () => {
    expect(withoutSchema(sourcesFile())).toBe(withoutSchema(preset('freeswitch-amqp.yaml')));
  });

  it('lets the switch configure and write to the exchange of its feed, and nothing else', () => {
    const { spec } = only(written(), 'Permission', 'fs-ams-1');
    const may = permission.parse(spec).permissions;
    expect('cdrs.from.fs-ams-1').toMatch(new RegExp(may.write));
    expect(may.configure).toBe(may.write);
    expect(may.read).toBe('^$');
    for (const other of ['cdrs', 'cdrs.intake', 'cdrs.from.fs-ams-10', 'amq.default'])
      expect(other).not.toMatch(new RegExp(may.write));
  });

  it.skipIf(!hasKubectl)('is in the broker with the topology, which outlives the workers', () => {
    const manifests = rendered(
      'production-topology',
      'namespace: cdr-ingest\ncomponents: [K8S/components/feeds]',
    );
    for (const kind of ['Exchange', 'Binding'])
      expect(only(manifests, kind, 'cdrs-from-fs-ams-1').metadata.namespace).toBe('cdr-ingest');
  });

  it.skipIf(!hasKubectl)('gives worker and console the file, and rolls them when it changes', () => {
    const manifests = rendered('production', 'namespace: cdr-ingest\ncomponents: [K8S/components/sources]');
    const [file] = ofKind(manifests, 'ConfigMap').filter(({ metadata }) => metadata.name.includes('sources'));
    const name = file?.metadata.name ?? '';
    expect(name).toMatch(/^cdr-ingest-sources-\w+$/);
    const pods = ownPods(manifests).filter(({ of }) => of.startsWith('Deployment'));
    expect(pods.map(({ of }) => of)).toEqual(['Deployment cdr-ingest', 'Deployment cdr-ingest-console']);
    for (const { pod } of pods) {
      const [container] = pod.containers;
      expect(container?.env).toContainEqual({ name: 'SOURCES_FILE', value: '/etc/cdr-ingest/sources.yaml' });
      expect(mounting.parse(pod).volumes).toContainEqual({ name: 'sources', configMap: { name } });
      expect(container).toMatchObject({
        volumeMounts: expect.arrayContaining([
          { name: 'sources', mountPath: '/etc/cdr-ingest', readOnly: true },
        ]),
      });
    }
  });
});
