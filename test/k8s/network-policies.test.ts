import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { hasKubectl, only, overlays, rendered } from './manifests.ts';

const labels = z.looseObject({ matchLabels: z.record(z.string(), z.string()).default({}) });
const peer = z.strictObject({
  podSelector: labels.optional(),
  namespaceSelector: labels.optional(),
  ipBlock: z.strictObject({ cidr: z.string() }).optional(),
});
const port = z.looseObject({ port: z.union([z.number(), z.string()]), endPort: z.number().optional() });
const rules = z
  .array(
    z.strictObject({
      to: z.array(peer).optional(),
      from: z.array(peer).optional(),
      ports: z.array(port).default([]),
    }),
  )
  .default([]);
const policy = z.looseObject({ spec: z.looseObject({ ingress: rules, egress: rules }) });

/** Who is meant, in one word or two; `anyone` where a rule names nobody. */
function namesOf(peers: z.output<typeof peer>[] | undefined): string[] {
  return (peers ?? []).length === 0
    ? ['anyone']
    : (peers ?? []).map(({ podSelector, namespaceSelector, ipBlock }) =>
        [
          ...Object.values(namespaceSelector?.matchLabels ?? {}).map((name) => `namespace ${name}`),
          ...Object.values(podSelector?.matchLabels ?? {}),
          ...(ipBlock === undefined ? [] : [ipBlock.cidr]),
        ].join(' '),
      );
}

/** Each rule of a policy: who, and the ports. */
function reach(overlay: Parameters<typeof rendered>[0], name: string, direction: 'ingress' | 'egress') {
  const found = policy.parse(only(rendered(overlay), 'NetworkPolicy', name)).spec[direction];
  return found.map(({ to, from, ports }) => ({
    who: namesOf(to ?? from),
    ports: [
      ...new Set(ports.map((each) => `${each.port}${each.endPort === undefined ? '' : `-${each.endPort}`}`)),
    ],
  }));
}

const DNS = {
  who: ['namespace kube-system', 'namespace openshift-dns', '169.254.20.10/32', '169.254.169.254/32'],
  ports: ['53', '5353'],
};

describe.skipIf(!hasKubectl)('the network policies', () => {
  it.each(overlays)(
    'let the pods of %s reach DNS, the broker and the database, and nothing else',
    (overlay) => {
      expect(reach(overlay, 'cdr-ingest', 'egress')).toEqual(
        overlay === 'production'
          ? [
              DNS,
              { who: ['cdr-rabbitmq'], ports: ['5671', '15671'] },
              { who: ['cdr-postgresql'], ports: ['5432'] },
            ]
          : [DNS, { who: ['rabbitmq'], ports: ['5672', '15672'] }, { who: ['postgresql'], ports: ['5432'] }],
      );
    },
  );

  it('let switches reach the broker by AMQP alone, and each other part what it needs', () => {
    expect(reach('production-stores', 'cdr-rabbitmq', 'ingress')).toEqual([
      { who: ['anyone'], ports: ['5671'] },
      { who: ['cdr-rabbitmq'], ports: ['4369', '25672', '35672-35682'] },
      {
        who: ['namespace rabbitmq-system', 'namespace keda', 'worker cdr-ingest'],
        ports: ['15671'],
      },
      { who: ['namespace monitoring'], ports: ['15691'] },
    ]);
  });

  it('let the database be reached by this system, billing, its own instances and operator, and the monitoring', () => {
    expect(reach('production-stores', 'cdr-postgresql', 'ingress')).toEqual([
      { who: ['cdr-ingest', 'namespace billing'], ports: ['5432'] },
      { who: ['cdr-postgresql', 'namespace cnpg-system'], ports: ['5432', '8000'] },
      { who: ['namespace monitoring'], ports: ['9187'] },
    ]);
  });

  it('let nothing from outside the namespace reach the stores of a trial', () => {
    expect(reach('dev', 'stores', 'ingress')).toEqual([{ who: [''], ports: ['5432', '5672', '15672'] }]);
  });
});
