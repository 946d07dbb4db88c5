import { operations } from '../../domain/operation.ts';
import type { TopologyReport } from '../declare.ts';
import {
  type BindingObject,
  type FeedExchange,
  nameOf,
  type TopologyNames,
  topologyOf,
} from '../topology.ts';
import { type Health, healthOf, notChecked } from './health.ts';
import { type ManagedRouting, queuesFor, type Routing } from './routing.ts';

/** Keys that switches use, and one that nothing is bound to. */
const KEYS_OF_CONTRACT = operations.flatMap((operation) => [
  `cdrs.${operation}`,
  `cdrs.${operation}.machine.1`,
]);
const MISTYPED_KEY = 'mistyped.key';

/**
 * Whether what is published to `cdrs` gets where it belongs, whatever the way: `cdrs.intake`, or an operator's own bindings and
 * an alternate exchange by policy.
 */
function arrives(routing: ManagedRouting, { exchange, queue, deadQueue }: TopologyNames): boolean {
  return (
    KEYS_OF_CONTRACT.every((key) => queuesFor(routing, exchange, key).has(queue)) &&
    queuesFor(routing, exchange, MISTYPED_KEY).has(deadQueue)
  );
}

/** The bindings that are missing and that nothing else stands in for. */
function missingBindings(
  routing: ManagedRouting,
  names: TopologyNames,
  feeds: readonly FeedExchange[],
): BindingObject[] {
  const isElsewhere = arrives(routing, names);
  return topologyOf(names, feeds).flatMap((object) => {
    if (object.kind !== 'binding' || exists(routing, object)) return [];
    return isElsewhere && isOnTheWay(object, names) ? [] : [object];
  });
}

const isOnTheWay = ({ exchange }: BindingObject, names: TopologyNames) =>
  exchange === names.exchange || exchange === names.intakeExchange;

function exists(routing: ManagedRouting, { exchange, to, destination, routingKey }: BindingObject): boolean {
  return routing.bindings.some(
    (found) =>
      found.source === exchange &&
      found.destination === destination &&
      found.destination_type === to &&
      found.routing_key === routingKey,
  );
}

/** Whether all bindings exist. AMQP cannot read them. */
export function bindingsHealth(
  routing: Routing,
  names: TopologyNames,
  feeds: readonly FeedExchange[],
): Health {
  if (routing.kind === 'unmanaged') return notChecked(routing.why);
  const missing = missingBindings(routing, names, feeds);
  const wanted = topologyOf(names, feeds).filter(({ kind }) => kind === 'binding');
  const unbound = missing.some(({ exchange }) => exchange === names.exchange)
    ? ': calls that the broker confirms are dropped there'
    : '';
  return healthOf(
    missing.map(
      ({ exchange, destination, routingKey }) =>
        `${exchange} is not bound to ${destination} by ${routingKey}${exchange === names.exchange ? unbound : ''}`,
    ),
    [`all ${wanted.length} exist`, ...droppingFeeds(routing, feeds)].join('; '),
    'Run "cdr-ingest topology"',
  );
}

/** A direct exchange drops every other key, if it has no alternate exchange. */
function droppingFeeds(routing: ManagedRouting, feeds: readonly FeedExchange[]): string[] {
  return feeds.flatMap(({ exchange, type, keys = [] }) =>
    type === 'direct' && queuesFor(routing, exchange, MISTYPED_KEY).size === 0
      ? [`the direct exchange ${exchange} drops every routing key but ${keys.join(', ')}`]
      : [],
  );
}

/** The reports of a check with what the management API adds to them: bindings, and an operator's own way to the queue. */
export function withRouting(
  reports: readonly TopologyReport[],
  routing: Routing,
  names: TopologyNames,
  feeds: readonly FeedExchange[],
): TopologyReport[] {
  if (routing.kind === 'unmanaged')
    return reports.map((each) =>
      each.object.startsWith('binding') ? { ...each, problem: `${each.problem}; ${routing.why}` } : each,
    );
  const missing = new Set(missingBindings(routing, names, feeds).map(nameOf));
  const bindings = new Map(
    topologyOf(names, feeds).flatMap((object) =>
      object.kind === 'binding' ? [[nameOf(object), object] as const] : [],
    ),
  );
  const isElsewhere = arrives(routing, names);
  const behind = `exchange "${names.intakeExchange}"`;
  return reports.map((each): TopologyReport => {
    const binding = bindings.get(each.object);
    if (each.object === behind && each.state === 'wrong' && isElsewhere) return found(each);
    if (binding === undefined) return each;
    if (missing.has(each.object))
      return { ...each, state: 'wrong', ok: false, problem: `${each.object} does not exist` };
    return exists(routing, binding) ? { ...each, problem: null } : found(each);
  });
}

function found(report: TopologyReport): TopologyReport {
  const problem =
    'not there, but calls get to the queue by another way and mistyped keys to the dead letters';
  return { ...report, state: 'as found', ok: true, problem };
}
