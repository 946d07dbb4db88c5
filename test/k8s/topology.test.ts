import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { defaultNames, type TopologyObject, topologyOf } from '../../src/broker/topology.ts';
import { variables } from '../../src/config.ts';
import { feedIn } from '../sources/feeds.ts';
import { type Manifest, ofKind, sourcesFile, written } from './manifests.ts';

const argumentsSchema = z.record(z.string(), z.union([z.string(), z.number()])).default({});
const queue = z
  .strictObject({ name: z.string(), type: z.string(), arguments: argumentsSchema })
  .transform(({ name, type, arguments: rest }): TopologyObject => {
    return { kind: 'queue', name, arguments: { 'x-queue-type': type, ...rest } };
  });
const exchange = z
  .strictObject({
    name: z.string(),
    type: z.literal('topic'),
    internal: z.boolean().default(false),
    arguments: argumentsSchema,
  })
  .transform(({ name, type, internal, arguments: rest }): TopologyObject => {
    return { kind: 'exchange', name, type, isInternal: internal, arguments: rest };
  });
const binding = z
  .strictObject({
    source: z.string(),
    destination: z.string(),
    destinationType: z.enum(['queue', 'exchange']),
    routingKey: z.string(),
  })
  .transform(({ source, destination, destinationType, routingKey }): TopologyObject => {
    return { kind: 'binding', exchange: source, to: destinationType, destination, routingKey };
  });
const schemas = new Map<string, z.ZodType<TopologyObject>>([
  ['Queue', queue],
  ['Exchange', exchange],
  ['Binding', binding],
]);

const shared = z.looseObject({
  vhost: z.literal('cdrs'),
  durable: z.literal(true).optional(),
  deletionPolicy: z.literal('retain').optional(),
  autoDelete: z.literal(false).optional(),
  rabbitmqClusterReference: z.strictObject({ name: z.literal('cdr-rabbitmq') }),
});
const permission = z.looseObject({
  configure: z.string(),
  write: z.string(),
  read: z.string(),
});

function objectOf({ kind, spec }: Manifest): TopologyObject[] {
  const schema = schemas.get(kind);
  if (schema === undefined) return [];
  const { vhost, durable, autoDelete, deletionPolicy, rabbitmqClusterReference, ...rest } =
    shared.parse(spec);
  return [schema.parse(rest)];
}

/** What the broker compares a permission with: the default exchange has a name of its own there. */
const DEFAULT_EXCHANGE = 'amq.default';

describe('the objects of the topology operator', () => {
  const manifests = written();

  it('are what the worker itself would declare', () => {
    // They cannot say that an exchange is internal.
    const expected = topologyOf(defaultNames, [feedIn(sourcesFile()).spec]).map((object) =>
      object.kind === 'exchange' ? { ...object, isInternal: false } : object,
    );
    const given = manifests.flatMap(objectOf);
    expect(given).toHaveLength(expected.length);
    expect(given).toEqual(expect.arrayContaining(expected));
  });

  it('lose nothing that is published to cdrs before it is bound', () => {
    const { exchange, intakeExchange } = defaultNames;
    const [policy] = ofKind(manifests, 'Policy', 'cdrs-unbound');
    expect(policy?.spec).toMatchObject({
      pattern: `^${exchange}$`,
      applyTo: 'exchanges',
      definition: { 'alternate-exchange': intakeExchange },
    });
  });

  it('let a worker hold deliveries longer than it ever does', () => {
    const [timeout] = ofKind(manifests, 'Policy', 'cdrs-consumer-timeout');
    const definition = z
      .looseObject({ definition: z.strictObject({ 'consumer-timeout': z.number() }) })
      .parse(timeout?.spec).definition;
    expect(definition['consumer-timeout']).toBeGreaterThan(2 * Number(variables.OUTAGE_RETURN_MS.fallback));
  });

  it('let the worker read its queues and reply, and nothing else', () => {
    const [worker] = ofKind(manifests, 'Permission', 'cdr-worker');
    const may = z.looseObject({ permissions: permission }).parse(worker?.spec).permissions;
    const { exchange, intakeExchange, queue, deadExchange, deadQueue, resultsExchange, resultsQueue } =
      defaultNames;
    const allowed = (pattern: string, names: string[]) =>
      names.filter((name) => new RegExp(pattern).test(name));
    expect(may.configure).toBe('^$');
    expect(allowed(may.read, [queue, deadQueue, resultsQueue, 'cdrs.reply.1'])).toEqual([queue, deadQueue]);
    expect(
      allowed(may.write, [exchange, intakeExchange, deadExchange, resultsExchange, DEFAULT_EXCHANGE]),
    ).toEqual([resultsExchange, DEFAULT_EXCHANGE]);
    // The other user of the worker, for a change of its password, may the same.
    const [other] = ofKind(manifests, 'Permission', 'cdr-worker-2');
    expect(other?.spec).toEqual(
      JSON.parse(JSON.stringify(worker?.spec).replaceAll('cdr-worker', 'cdr-worker-2')),
    );
  });

  it('give every user permissions and a secret from elsewhere', () => {
    const users = ofKind(manifests, 'User');
    expect(users.map(({ metadata }) => metadata.name)).toEqual(
      ofKind(manifests, 'Permission').map(({ metadata }) => metadata.name),
    );
    for (const { spec } of users) {
      expect(spec).toMatchObject({
        importCredentialsSecret: { name: expect.stringMatching(/-broker(-2)?$/) },
      });
    }
  });
});
