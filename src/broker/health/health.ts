import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { counted } from '../../plural.ts';
import type { TopologyNames } from '../topology.ts';
import type { Management, ManagementAnswer } from './management.ts';

/** One line of a health report. `unknown`: could not be checked, which is not a failure. */
export interface Health {
  state: 'ok' | 'failed' | 'unknown';
  detail: string;
}

const settings = z.record(z.string(), z.unknown());
/** RabbitMQ's JSON writes an empty object as an empty list. */
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

export type ManagedQueue = z.output<typeof queueSchema>;

/** The queues and nodes of this system as the management API shows them, or one line why it does not. */
export type Managed =
  | {
      kind: 'managed';
      queues: ManagedQueue[];
      nodes: z.output<typeof nodesSchema>;
    }
  | { kind: 'unmanaged'; why: string };

/** The statistics of a new queue appear within this time. */
const STATISTICS_MS = 8_000;
const RETRY_MS = 250;

/** Reads queues and nodes. Waits some seconds for the statistics of new queues. */
export async function readManaged(ask: Management, vhost: string, names: TopologyNames): Promise<Managed> {
  const where = encodeURIComponent(vhost);
  const giveUpAt = performance.now() + STATISTICS_MS;
  for (;;) {
    const asked = [names.queue, names.deadQueue, names.resultsQueue].map((queue) =>
      ask(`queues/${where}/${encodeURIComponent(queue)}`),
    );
    const answers = await Promise.all([ask('nodes'), ...asked]);
    const refused = answers.find((answer) => answer.kind === 'unavailable');
    if (refused?.kind === 'unavailable') return { kind: 'unmanaged', why: refused.problem };
    const [nodes, ...queues] = answers.map(foundIn);
    const managed: Managed = {
      kind: 'managed',
      nodes: nodesSchema.parse(nodes ?? []),
      queues: queues.flatMap((queue) => (queue === undefined ? [] : [queueSchema.parse(queue)])),
    };
    const isComplete = managed.queues.every(
      ({ type, members }) => type !== 'quorum' || members !== undefined,
    );
    if (isComplete || performance.now() > giveUpAt) return managed;
    await sleep(RETRY_MS);
  }
}

function foundIn(answer: ManagementAnswer): unknown {
  return answer.kind === 'found' ? answer.body : undefined;
}

/** A check that needs the management API. */
export const notChecked = (why: string): Health => ({
  state: 'unknown',
  detail: `no management API: ${why}`,
});

/** @param remedy what an operator does about the problems */
export function healthOf(problems: readonly string[], fine: string, remedy: string): Health {
  return problems.length === 0
    ? { state: 'ok', detail: fine }
    : { state: 'failed', detail: `${problems.join('; ')}. ${remedy}` };
}

/** Nodes that are down or partitioned, and alarms that block publishing. */
export function nodesHealth(managed: Managed): Health {
  if (managed.kind === 'unmanaged') return notChecked(managed.why);
  const problems = managed.nodes.flatMap((node) => [
    ...(node.running ? [] : [`${node.name} is down`]),
    ...(node.mem_alarm ? [`${node.name} has a memory alarm`] : []),
    ...(node.disk_free_alarm ? [`${node.name} has a disk alarm`] : []),
    ...(node.partitions.length > 0 ? [`${node.name} is partitioned from ${node.partitions.join(', ')}`] : []),
  ]);
  return healthOf(
    problems,
    `${managed.nodes.length} of ${managed.nodes.length} running, no alarms`,
    'Start the node, or give it memory or disk: an alarm blocks all publishers',
  );
}

/** A quorum queue with this many members survives the loss of one node. */
const SAFE_MEMBERS = 3;

/** Whether each queue has as many members as the cluster allows, all of them online. */
export function quorumHealth(managed: Managed): Health {
  if (managed.kind === 'unmanaged') return notChecked(managed.why);
  const wanted = Math.min(SAFE_MEMBERS, managed.nodes.length);
  const problems = managed.queues.flatMap(({ name, type, members = [], online = [] }) => {
    if (type !== 'quorum') return [`${name} is a ${type} queue, expected quorum`];
    const offline = members.filter((member) => !online.includes(member));
    return [
      ...(members.length < wanted ? [`${name} has ${members.length} of ${wanted} members`] : []),
      ...(offline.length > 0 ? [`${name}: offline members ${offline.join(', ')}`] : []),
    ];
  });
  const single = wanted < SAFE_MEMBERS ? ' (cannot survive a node failure; use three nodes)' : '';
  const members = managed.queues.map(({ members: all = [] }) => all.length);
  const fewest = members.length === 0 ? 0 : Math.min(...members);
  return healthOf(
    problems,
    `${counted(fewest, 'member')} of each queue online, ${counted(managed.nodes.length, 'node')}${single}`,
    'Start the node, or add members with "rabbitmq-queues grow NODE all"',
  );
}

/** If a message waits longer although there are consumers, the workers cannot keep up. */
const LONGEST_WAIT_S = 300;

/**
 * How far behind the workers are.
 *
 * @param depth ready messages and consumers of the queue, as AMQP shows them; null if the queue does not
 *   exist
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
  const detail = `${queue}: ${ready} waiting${oldest}, ${counted(consumers, 'consumer')}${idle}`;
  if (ready > 0 && consumers === 0) return { state: 'failed', detail };
  return ready > 0 && (waited ?? 0) > LONGEST_WAIT_S
    ? { state: 'failed', detail: `${detail}. Start more workers, or use a faster database (docs/scaling.md)` }
    : { state: 'ok', detail };
}
