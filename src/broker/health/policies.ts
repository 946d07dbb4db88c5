import { NO_DELIVERY_LIMIT, type TopologyNames, topologyOf } from '../topology.ts';
import { type Health, healthOf, noQueues, notChecked } from './health.ts';
import type { Managed, ManagedQueue } from './managed.ts';

/** If a queue argument and a policy differ, the lower value wins for these; for all others the argument. */
const LOWER_WINS = new Set(['delivery-limit', 'max-length', 'max-length-bytes', 'message-ttl', 'expires']);

/** The value in effect for a queue, from its arguments or from a policy. */
export function effective(queue: ManagedQueue, key: string): unknown {
  const argument = queue.arguments[`x-${key}`];
  const policy = queue.effective_policy_definition[key];
  if (typeof argument === 'number' && typeof policy === 'number' && LOWER_WINS.has(key))
    return Math.min(argument, policy);
  return argument ?? policy;
}

/**
 * Whether arguments, policies and operator policies together lose no call: the input queue dead-letters at
 * least once, rejects when full instead of dropping, and nothing expires in it or in `cdrs.dead`. The queue
 * of results may drop old replies, but not early, and must not reject any: calls wait for their reply to be
 * confirmed.
 */
export function policiesHealth(managed: Managed, names: TopologyNames): Health {
  if (managed.kind === 'unmanaged') return notChecked(managed.why);
  if (managed.queues.length === 0) return noQueues;
  const problems = managed.queues.flatMap((queue) => {
    if (queue.name === names.queue) return inputProblems(queue, names);
    return queue.name === names.deadQueue ? deadProblems(queue) : resultsProblems(queue, names);
  });
  const policies = managed.queues.flatMap(({ policy, operator_policy }) =>
    [policy, operator_policy].filter((name) => typeof name === 'string' && name !== ''),
  );
  const unique = [...new Set(policies)].join(', ');
  const from = unique === '' ? 'no policy applies' : `policies: ${unique}`;
  const remedy =
    unique === ''
      ? 'Delete the queue when it is empty and run "cdr-ingest topology", or set a policy'
      : `Fix or clear one of the policies ${unique} (rabbitmqctl list_policies, list_operator_policies)`;
  return healthOf(problems, `nothing expires or is dropped; ${from}`, remedy);
}

function unlessIs(queue: ManagedQueue, key: string, expected: string | number): string[] {
  const value = effective(queue, key);
  return value === expected ? [] : [`${queue.name} has ${key} ${value ?? 'unset'}, expected ${expected}`];
}

function expiryProblems(queue: ManagedQueue): string[] {
  return ['message-ttl', 'expires', 'max-age'].flatMap((key) => {
    const value = effective(queue, key);
    return value === undefined ? [] : [`${queue.name} has ${key} ${value}, which loses calls`];
  });
}

function inputProblems(queue: ManagedQueue, names: TopologyNames): string[] {
  const limit = effective(queue, 'delivery-limit');
  const declared = queue.arguments['x-delivery-limit'];
  const isLowered = typeof limit === 'number' && typeof declared === 'number' && limit < declared;
  return [
    ...expiryProblems(queue),
    ...unlessIs(queue, 'dead-letter-exchange', names.deadExchange),
    ...unlessIs(queue, 'dead-letter-strategy', 'at-least-once'),
    ...unlessIs(queue, 'overflow', 'reject-publish'),
    ...(typeof limit === 'number' && limit > 0 ? [] : [`${queue.name} has no delivery-limit`]),
    ...(isLowered && limit > 0
      ? [`${queue.name} has delivery-limit ${limit}, but was declared with ${declared}`]
      : []),
  ];
}

function deadProblems(queue: ManagedQueue): string[] {
  const isBounded = ['max-length', 'max-length-bytes'].some((key) => effective(queue, key) !== undefined);
  const drops = isBounded && effective(queue, 'overflow') !== 'reject-publish';
  const limit = effective(queue, 'delivery-limit');
  const elsewhere = effective(queue, 'dead-letter-exchange');
  return [
    ...expiryProblems(queue),
    ...(drops ? [`${queue.name} drops messages when it is full`] : []),
    ...(typeof limit === 'number' && limit < NO_DELIVERY_LIMIT
      ? [`${queue.name} has delivery-limit ${limit}, after which calls are lost`]
      : []),
    ...(elsewhere === undefined
      ? []
      : [`${queue.name} has dead-letter-exchange ${elsewhere}, which loses calls`]),
  ];
}

function resultsProblems(queue: ManagedQueue, names: TopologyNames): string[] {
  const wanted = topologyOf(names).find((object) => object.kind === 'queue' && object.name === queue.name);
  const declared = wanted?.kind === 'queue' ? wanted.arguments : {};
  const early = ['message-ttl', 'max-length', 'max-length-bytes'].flatMap((key) => {
    const value = effective(queue, key);
    const minimum = declared[`x-${key}`] ?? Number.POSITIVE_INFINITY;
    return typeof value === 'number' && value < Number(minimum)
      ? [`${queue.name} has ${key} ${value}, which loses replies`]
      : [];
  });
  const refuses = effective(queue, 'overflow') === 'reject-publish';
  return [
    ...early,
    ...(refuses ? [`${queue.name} rejects replies when it is full, which blocks every call`] : []),
  ];
}
