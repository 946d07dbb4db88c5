import * as z from 'zod';

// What the CRDs of RabbitMQ's operators take, as far as the manifests use it: Messaging Topology Operator 1.17 to 1.20, Cluster
// Operator 2.2 to 2.22. No package registry has these. Strict, because a field that the CRD lacks is dropped in silence.

const name = z.string().min(1);
const named = z.strictObject({ name });
const cluster = { rabbitmqClusterReference: named };
const inVhost = { ...cluster, vhost: name };
const args = z.record(z.string(), z.union([z.string(), z.number()])).optional();
const declared = { durable: z.boolean().optional(), autoDelete: z.boolean().optional(), arguments: args };
/** Only kinds that hold messages, and some that are not used here, have one. */
const deletionPolicy = z.enum(['delete', 'retain']).optional();
const quantities = z.strictObject({ cpu: z.string().optional(), memory: z.string() });

const specs = new Map<string, z.ZodType>([
  ['Vhost', z.strictObject({ ...cluster, name, defaultQueueType: z.literal('quorum'), deletionPolicy })],
  ['Exchange', z.strictObject({ ...inVhost, name, type: name, ...declared })],
  ['Queue', z.strictObject({ ...inVhost, name, type: name, ...declared, deletionPolicy })],
  [
    'Binding',
    z.strictObject({
      ...inVhost,
      source: name,
      destination: name,
      destinationType: z.enum(['exchange', 'queue']),
      routingKey: z.string().optional(),
      arguments: args,
    }),
  ],
  [
    'Policy',
    z.strictObject({
      ...inVhost,
      name,
      pattern: name,
      applyTo: z.enum(['queues', 'classic_queues', 'quorum_queues', 'streams', 'exchanges', 'all']),
      priority: z.int(),
      definition: z.record(z.string(), z.union([z.string(), z.number()])),
    }),
  ],
  [
    'User',
    z.strictObject({
      ...cluster,
      tags: z.array(z.enum(['management', 'policymaker', 'monitoring', 'administrator'])).optional(),
      importCredentialsSecret: named,
    }),
  ],
  [
    'Permission',
    z.strictObject({
      ...inVhost,
      userReference: named,
      permissions: z.strictObject({ configure: z.string(), write: z.string(), read: z.string() }),
    }),
  ],
  [
    'RabbitmqCluster',
    z.strictObject({
      replicas: z.int(),
      image: name,
      tls: z.strictObject({ secretName: name, disableNonTLSListeners: z.boolean() }),
      persistence: z.strictObject({ storage: name, storageClassName: name.optional() }),
      override: z.strictObject({
        statefulSet: z.strictObject({
          spec: z.strictObject({
            persistentVolumeClaimRetentionPolicy: z.strictObject({
              whenDeleted: z.enum(['Delete', 'Retain']),
              whenScaled: z.enum(['Delete', 'Retain']),
            }),
          }),
        }),
      }),
      resources: z.strictObject({ requests: quantities, limits: quantities }),
      affinity: z.looseObject({}),
      rabbitmq: z.strictObject({ additionalPlugins: z.array(name), additionalConfig: z.string() }),
    }),
  ],
]);

/** Throws, with the path and what was expected, when an operator of RabbitMQ would not take the object as it stands. */
export function validateRabbitmqKind(kind: string, spec: unknown): void {
  const schema = specs.get(kind);
  if (schema === undefined) throw new Error(`expected a kind of RabbitMQ's operators, got ${kind}`);
  schema.parse(spec);
}
