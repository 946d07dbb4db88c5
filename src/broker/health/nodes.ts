import { counted } from '../../plural.ts';
import { type Health, healthFrom, healthOf, noQueues, notChecked } from './health.ts';
import type { Managed } from './managed.ts';

/** Of the free disk at which a node blocks all publishers. */
const DISK_NOTICE = 2;

/** Nodes that are down or partitioned, and alarms that block publishing. */
export function nodesHealth(managed: Managed): Health {
  if (managed.kind === 'unmanaged') return notChecked(managed.why);
  const problems = managed.nodes.flatMap((node) => [
    ...(node.running ? [] : [`${node.name} is down`]),
    ...(node.mem_alarm ? [`${node.name} has a memory alarm`] : []),
    ...(node.disk_free_alarm ? [`${node.name} has a disk alarm`] : []),
    ...(node.partitions.length > 0 ? [`${node.name} is partitioned from ${node.partitions.join(', ')}`] : []),
  ]);
  const versions = new Set(
    managed.nodes.flatMap(({ applications }) =>
      applications.flatMap(({ name, version }) => (name === 'rabbit' ? [version] : [])),
    ),
  );
  const full = managed.nodes.flatMap(({ name, disk_free: free, disk_free_limit: limit, disk_free_alarm }) =>
    !disk_free_alarm && free !== undefined && limit !== undefined && free < limit * DISK_NOTICE
      ? [
          `${name} has ${Math.round(free / 2 ** 20)} MiB of disk left, and blocks publishers below ${Math.round(limit / 2 ** 20)} MiB`,
        ]
      : [],
  );
  return healthFrom({
    problems:
      problems.length === 0
        ? []
        : [
            `${problems.join('; ')}. Start the node, or give it memory or disk: an alarm blocks all publishers`,
          ],
    warnings: [
      ...full,
      ...(versions.size > 1
        ? [`the nodes run ${[...versions].sort().join(' and ')}: finish the upgrade of the cluster`]
        : []),
    ],
    fine: `${managed.nodes.length} of ${managed.nodes.length} running, no alarms`,
  });
}

/** A quorum queue with this many members survives the loss of one node. */
const SAFE_MEMBERS = 3;

/** Whether each queue has as many members as the cluster allows, all of them online. */
export function quorumHealth(managed: Managed): Health {
  if (managed.kind === 'unmanaged') return notChecked(managed.why);
  if (managed.queues.length === 0) return noQueues;
  const wanted = Math.min(SAFE_MEMBERS, managed.nodes.length);
  const problems = managed.queues.flatMap(({ name, type, members = [], online = [] }) => {
    if (type !== 'quorum') return [`${name} is a ${type} queue, expected quorum`];
    const offline = members.filter((member) => !online.includes(member));
    return [
      ...(members.length < wanted ? [`${name} has ${members.length} of ${wanted} members`] : []),
      ...(offline.length > 0 ? [`${name}: offline members ${offline.join(', ')}`] : []),
      ...(members.length > 0 && online.length * 2 <= members.length
        ? [`${name} has no majority: it takes and gives nothing`]
        : []),
    ];
  });
  const single = wanted < SAFE_MEMBERS ? ' (cannot survive a node failure; use three nodes)' : '';
  const members = managed.queues.map(({ members: all = [] }) => all.length);
  const fewest = Math.min(...members);
  return healthOf(
    problems,
    `${counted(fewest, 'member')} of each queue online, ${counted(managed.nodes.length, 'node')}${single}`,
    'Start the node, or add members with "rabbitmq-queues grow NODE all"',
  );
}
