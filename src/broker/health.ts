import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Management, ManagementAnswer } from './management.ts';
import { type TopologyNames, topologyOf } from './topology-objects.ts';

/** One line of a health report. `unknown`: could not be looked at, which is no failure. */
export interface Health {
  state: 'ok' | 'failed' | 'unknown';
  detail: string;
}

const settings = z.record(z.string(), z.unknown());
/** Erlang's JSON writes an empty object as an empty list. */
const asObject = (value: unknown) => (Array.isArray(value) ? {} : value);
const queueSchema = z.looseObject({
  name: z.string(),
  type: z.string().default('classic'),
  arguments: z.preprocess(asObject, settings.default({})),
  policy: z.string().nullish(),
  operator_policy: z.string().nullish(),
  effective_policy_definition: z.preprocess(asObject, settings.nullish()),
  members: z.array(z.string()).optional(),
  online: z.array(z.string()).optional(),
  head_message_timestamp: z.number().nullish(),
});
const nodesSchema = z.array(
  z.looseObject({
    name: z.string(),
    running: z.boolean().default(true),
    mem_alarm: z.boolean().default(false),
    disk_free_alarm: z.boolean().default(false),
    partitions: z.array(z.string()).default([]),
  }),
);
const bindingsSchema = z.array(
  z.looseObject({ source: z.string(), destination: z.string(), routing_key: z.string() }),
);

export type ManagedQueue = z.output<typeof queueSchema>;

/** What the management API tells of everything that is this system's, or the one line why it tells nothing. */
export type Managed =
  | {
      kind: 'managed';
      queues: ManagedQueue[];
      nodes: z.output<typeof nodesSchema>;
      bindings: z.output<typeof bindingsSchema>;
    }
  | { kind: 'unmanaged'; why: string };

/** Statistics of a queue that was declared a moment ago appear within this time. */
const STATISTICS_MS = 8_000;
const AGAIN_MS = 250;

/** Reads queues, nodes and bindings. Waits some seconds for the statistics of queues that are new. */
export async function readManaged(ask: Management, vhost: string, names: TopologyNames): Promise<Managed> {
  const where = encodeURIComponent(vhost);
  const giveUpAt = performance.now() + STATISTICS_MS;
  for (;;) {
    const asked = [names.queue, names.deadQueue, names.resultsQueue].map((queue) =>
      ask(`queues/${where}/${encodeURIComponent(queue)}`),
    );
    const answers = await Promise.all([ask('nodes'), ask(`bindings/${where}`), ...asked]);
    const refused = answers.find((answer) => answer.kind === 'unavailable');
    if (refused?.kind === 'unavailable') return { kind: 'unmanaged', why: refused.problem };
    const [nodes, bindings, ...queues] = answers.map(bodyOf);
    const managed: Managed = {
      kind: 'managed',
      nodes: nodesSchema.parse(nodes ?? []),
      bindings: bindingsSchema.parse(bindings ?? []),
      queues: queues.flatMap((queue) => (queue === undefined ? [] : [queueSchema.parse(queue)])),
    };
    const isComplete = managed.queues.every(
      ({ type, members }) => type !== 'quorum' || members !== undefined,
    );
    if (isComplete || performance.now() > giveUpAt) return managed;
    await sleep(AGAIN_MS);
  }
}

function bodyOf(answer: ManagementAnswer): unknown {
  return answer.kind === 'found' ? answer.body : undefined;
}

/** What cannot be looked at without the management API. */
export const notAsked = (why: string): Health => ({ state: 'unknown', detail: `no management API: ${why}` });

/** @param mend what an operator does about each of the problems */
export function verdict(problems: readonly string[], fine: string, mend: string): Health {
  return problems.length === 0
    ? { state: 'ok', detail: fine }
    : { state: 'failed', detail: `${problems.join('; ')}. ${mend}` };
}

/** Nodes that are down or cut off, and alarms that keep everybody from publishing. */
export function nodesHealth(managed: Managed): Health {
  if (managed.kind === 'unmanaged') return notAsked(managed.why);
  const problems = managed.nodes.flatMap((node) => [
    ...(node.running ? [] : [`${node.name} is down`]),
    ...(node.mem_alarm ? [`${node.name} has a memory alarm`] : []),
    ...(node.disk_free_alarm ? [`${node.name} has a disk alarm`] : []),
    ...(node.partitions.length > 0 ? [`${node.name} is cut off from ${node.partitions.join(', ')}`] : []),
  ]);
  return verdict(
    problems,
    `${managed.nodes.length} of ${managed.nodes.length} running, no alarm`,
    'Start the node, or give it memory or disk: nobody can publish while there is an alarm',
  );
}

/** The bindings that AMQP cannot read. */
export function bindingsHealth(managed: Managed, names: TopologyNames): Health {
  if (managed.kind === 'unmanaged') return notAsked(managed.why);
  const wanted = topologyOf(names).flatMap((object) => (object.kind === 'binding' ? [object] : []));
  const missing = wanted.filter(
    ({ exchange, queue, routingKey }) =>
      !managed.bindings.some(
        (found) =>
          found.source === exchange && found.destination === queue && found.routing_key === routingKey,
      ),
  );
  return verdict(
    missing.map(({ exchange, queue, routingKey }) => `${exchange} is not bound to ${queue} by ${routingKey}`),
    `${wanted.length} of ${wanted.length} there`,
    'Run "cdr-ingest topology"',
  );
}

/** A quorum queue of so many members survives the loss of one node. */
const SAFE_MEMBERS = 3;

/** Whether each queue is replicated as far as the cluster allows, with all its members at work. */
export function quorumHealth(managed: Managed): Health {
  if (managed.kind === 'unmanaged') return notAsked(managed.why);
  const wanted = Math.min(SAFE_MEMBERS, managed.nodes.length);
  const problems = managed.queues.flatMap(({ name, type, members = [], online = [] }) => {
    if (type !== 'quorum') return [`${name} is a ${type} queue, expected quorum`];
    const offline = members.filter((member) => !online.includes(member));
    return [
      ...(members.length < wanted ? [`${name} has ${members.length} of ${wanted} members`] : []),
      ...(offline.length > 0 ? [`${name} misses ${offline.join(', ')}`] : []),
    ];
  });
  const single = wanted < SAFE_MEMBERS ? ' (no node may be lost: three make it safe)' : '';
  const members = managed.queues.map(({ members: all = [] }) => all.length);
  const fewest = members.length === 0 ? 0 : Math.min(...members);
  return verdict(
    problems,
    `${fewest} members of each queue online, ${managed.nodes.length} nodes${single}`,
    'Start the node, or add members with "rabbitmq-queues grow NODE all"',
  );
}

/** A message that waits longer than this while somebody consumes: the workers cannot keep up. */
const LONGEST_WAIT_S = 300;

/**
 * How far behind the workers are.
 *
 * @param depth messages ready and consumers of a queue, as AMQP tells them at once; null where it is missing
 * @param nowS Unix seconds
 */
export function lagHealth(
  queue: string,
  depth: { ready: number; consumers: number } | null,
  managed: Managed,
  nowS: number,
): Health {
  if (depth === null)
    return { state: 'failed', detail: `${queue} does not exist: run "cdr-ingest topology"` };
  const { ready, consumers } = depth;
  const found = managed.kind === 'managed' ? managed.queues.find(({ name }) => name === queue) : undefined;
  const since = found?.head_message_timestamp;
  const waited = ready > 0 && typeof since === 'number' ? Math.max(0, Math.round(nowS - since)) : undefined;
  const oldest = waited === undefined ? '' : `, the oldest sent ${waited} s ago`;
  const idle = consumers === 0 ? ': no worker is running (start "cdr-ingest worker")' : '';
  const detail = `${queue}: ${ready} waiting${oldest}, ${consumers} consumers${idle}`;
  if (ready > 0 && consumers === 0) return { state: 'failed', detail };
  return ready > 0 && (waited ?? 0) > LONGEST_WAIT_S
    ? { state: 'failed', detail: `${detail}: more workers or a faster database (docs/scaling.md)` }
    : { state: 'ok', detail };
}
