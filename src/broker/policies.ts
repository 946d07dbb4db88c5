import { type Health, type Managed, type ManagedQueue, notAsked, verdict } from './health.ts';
import { NO_DELIVERY_LIMIT, type TopologyNames, topologyOf } from './topology-objects.ts';

/** Of these the lower one counts where argument and policy differ; of all others the argument. */
const LOWER_COUNTS = new Set(['delivery-limit', 'max-length', 'max-length-bytes', 'message-ttl', 'expires']);

/** What holds for a queue, whether it comes from its arguments or from a policy. */
function effective(queue: ManagedQueue, key: string): unknown {
  const argument = queue.arguments[`x-${key}`];
  const policy = queue.effective_policy_definition?.[key];
  if (typeof argument === 'number' && typeof policy === 'number' && LOWER_COUNTS.has(key))
    return Math.min(argument, policy);
  return argument ?? policy;
}

/**
 * Whether arguments and policies, operator policies among them, together keep the promise that no call is lost: the
 * input queue gives up to the dead-letter exchange at least once and refuses rather than drops, and nothing expires in
 * it or in `cdrs.dead`. Replies may be dropped, but not before their time, and never refused: that would hold calls.
 */
export function policiesHealth(managed: Managed, names: TopologyNames): Health {
  if (managed.kind === 'unmanaged') return notAsked(managed.why);
  const problems = managed.queues.flatMap((queue) => {
    if (queue.name === names.queue) return inputProblems(queue, names);
    return queue.name === names.deadQueue ? deadProblems(queue) : resultsProblems(queue, names);
  });
  const policies = managed.queues.flatMap(({ policy, operator_policy }) =>
    [policy, operator_policy].filter((name) => typeof name === 'string' && name !== ''),
  );
  const unique = [...new Set(policies)].join(', ');
  const from = unique === '' ? 'no policy applies' : `policies: ${unique}`;
  const mend =
    unique === ''
      ? 'Declare the queue anew with "cdr-ingest topology", or set a policy'
      : `Mend or clear one of the policies ${unique} (rabbitmqctl list_policies, list_operator_policies)`;
  return verdict(problems, `nothing expires or is dropped; ${from}`, mend);
}

function says(queue: ManagedQueue, key: string, expected: string | number): string[] {
  const value = effective(queue, key);
  return value === expected ? [] : [`${queue.name} has ${key} ${value ?? 'unset'}, expected ${expected}`];
}

function losesNothing(queue: ManagedQueue): string[] {
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
    ...losesNothing(queue),
    ...says(queue, 'dead-letter-exchange', names.deadExchange),
    ...says(queue, 'dead-letter-strategy', 'at-least-once'),
    ...says(queue, 'overflow', 'reject-publish'),
    ...(typeof limit === 'number' && limit > 0 ? [] : [`${queue.name} has no delivery-limit`]),
    ...(isLowered && limit > 0
      ? [`${queue.name} has delivery-limit ${limit}, expected ${declared} as it was declared`]
      : []),
  ];
}

function deadProblems(queue: ManagedQueue): string[] {
  const isBounded = ['max-length', 'max-length-bytes'].some((key) => effective(queue, key) !== undefined);
  const drops = isBounded && effective(queue, 'overflow') !== 'reject-publish';
  const limit = effective(queue, 'delivery-limit');
  const elsewhere = effective(queue, 'dead-letter-exchange');
  return [
    ...losesNothing(queue),
    ...(drops ? [`${queue.name} drops messages when it is full`] : []),
    ...(typeof limit === 'number' && limit < NO_DELIVERY_LIMIT
      ? [`${queue.name} has delivery-limit ${limit}, after which calls are lost`]
      : []),
    ...(elsewhere === undefined
      ? []
      : [`${queue.name} has dead-letter-exchange ${elsewhere}, where nobody looks for calls`]),
  ];
}

function resultsProblems(queue: ManagedQueue, names: TopologyNames): string[] {
  const wanted = topologyOf(names).find((object) => object.kind === 'queue' && object.name === queue.name);
  const meant = wanted?.kind === 'queue' ? wanted.arguments : {};
  const early = ['message-ttl', 'max-length', 'max-length-bytes'].flatMap((key) => {
    const value = effective(queue, key);
    const least = meant[`x-${key}`] ?? Number.POSITIVE_INFINITY;
    return typeof value === 'number' && value < Number(least)
      ? [`${queue.name} has ${key} ${value}, which loses replies`]
      : [];
  });
  const refuses = effective(queue, 'overflow') === 'reject-publish';
  return [
    ...early,
    ...(refuses ? [`${queue.name} refuses replies when it is full, which holds every call`] : []),
  ];
}
