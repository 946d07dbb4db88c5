import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { hasKubectl, only, ownPods, parse, wholeProduction } from './manifests.ts';

const readme = readFileSync(new URL('../../k8s/README.md', import.meta.url), 'utf8');
const production = readme.slice(readme.indexOf('## Production'), readme.indexOf('## Scheduled jobs'));
const SECRET = 'cdr-rabbitmq-tls';

/** Every secret that an object refers to, in whichever field. */
function secretsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(secretsIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([field, inner]: [string, unknown]) => {
    if (field === 'secretName' && typeof inner === 'string') return [inner];
    const isReference = ['secret', 'importCredentialsSecret', 'secretTargetRef', 'secretKeyRef'].includes(
      field,
    );
    const named = z.object({ name: z.string() });
    const found = isReference ? [inner].flat().flatMap((item) => named.safeParse(item).data?.name ?? []) : [];
    return found.length > 0 ? found : secretsIn(inner);
  });
}

describe.skipIf(!hasKubectl)('TLS to the broker in production', () => {
  const manifests = hasKubectl ? wholeProduction() : [];

  it('is the only protocol of the broker', () => {
    expect(only(manifests, 'RabbitmqCluster', 'cdr-rabbitmq')).toMatchObject({
      spec: { tls: { secretName: SECRET, disableNonTLSListeners: true } },
    });
  });

  it('is verified by every pod that connects, which has the CA certificate and not its key', () => {
    const connecting = ownPods(manifests).filter(({ pod }) =>
      pod.containers.some(({ env }) => env.some(({ name }) => name === 'AMQP_URL_FILE')),
    );
    expect(connecting.map(({ of }) => of).sort()).toEqual([
      'Deployment cdr-ingest',
      'Deployment cdr-ingest-console',
    ]);
    for (const { pod } of connecting) {
      const [file] = pod.containers.flatMap(({ env }) =>
        env.filter(({ name }) => name === 'AMQP_TLS_CA_FILE'),
      );
      expect(file?.value).toBe('/run/secrets/cdr-ingest/broker-ca.crt');
      expect(pod.volumes).toMatchObject([
        {
          projected: {
            sources: expect.arrayContaining([
              { secret: { name: SECRET, items: [{ key: 'ca.crt', path: 'broker-ca.crt' }] } },
            ]),
          },
        },
      ]);
    }
  });

  it('is verified by the autoscaler and by Prometheus', () => {
    const authority = { name: SECRET, key: 'ca.crt' };
    expect(only(manifests, 'TriggerAuthentication', 'cdr-ingest-queue')).toMatchObject({
      spec: {
        secretTargetRef: [
          { parameter: 'host', name: 'cdr-autoscaler-broker', key: 'uri' },
          { parameter: 'tls', name: 'cdr-autoscaler-broker', key: 'tls' },
          { parameter: 'ca', ...authority },
        ],
      },
    });
    const [endpoint] = z
      .looseObject({ spec: z.looseObject({ podMetricsEndpoints: z.array(z.unknown()) }) })
      .parse(only(manifests, 'PodMonitor', 'cdr-rabbitmq')).spec.podMetricsEndpoints;
    expect(endpoint).toMatchObject({
      port: 'prometheus-tls',
      scheme: 'https',
      tlsConfig: { serverName: 'cdr-rabbitmq.cdr-ingest.svc', ca: { secret: authority } },
    });
  });

  it('has people use the broker’s user for people', () => {
    const consolePod = ownPods(manifests).find(({ of }) => of === 'Deployment cdr-ingest-console');
    expect(secretsIn(consolePod?.pod.volumes)).toContain('cdr-operator-broker');
    expect(secretsIn(consolePod?.pod.volumes)).not.toContain('cdr-ingest-broker');
  });
});

describe('k8s/README.md on production', () => {
  it.skipIf(!hasKubectl)('lists exactly the secrets that the manifests refer to', () => {
    const listed = [...production.matchAll(/^\| (`cdr-[^|]*) \|/gm)].flatMap(([, names = '']) =>
      [...names.matchAll(/`([\w-]+)`/g)].map(([, name = '']) => name),
    );
    expect(listed.sort()).toEqual([...new Set(secretsIn(wholeProduction()))].sort());
  });

  it('has no unencrypted connection to the broker', () => {
    const hosts = [...production.matchAll(/(\w+):\/\/USER:PASSWORD@([\w.-]+):(\d+)/g)];
    expect(hosts.map(([, scheme, , port]) => `${scheme} ${port}`)).toEqual([
      'amqps 5671',
      'https 15671',
      'amqps 5671',
    ]);
  });

  it('asks for a certificate with the name that all clients connect to', () => {
    const [, text = ''] = /```yaml\n(.*?)```/s.exec(production) ?? [];
    const certificate = z
      .looseObject({ spec: z.looseObject({ secretName: z.string(), dnsNames: z.array(z.string()) }) })
      .parse(parse(text)[0]);
    expect(certificate.spec.secretName).toBe(SECRET);
    const hosts = [...production.matchAll(/USER:PASSWORD@([\w.-]+):/g)].map(([, host]) => host);
    expect(certificate.spec.dnsNames).toEqual(expect.arrayContaining(hosts));
  });
});
