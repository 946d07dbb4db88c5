import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { TopologyNames } from '../topology.ts';
import { type Management, type ManagementAnswer, settings } from './management.ts';

const queueSchema = z.looseObject({
  name: z.string(),
  type: z.string().default('classic'),
  arguments: settings,
  policy: z.string().nullish(),
  operator_policy: z.string().nullish(),
  effective_policy_definition: settings,
  members: z.array(z.string()).optional(),
  online: z.array(z.string()).optional(),
  messages: z.number().optional(),
  message_bytes: z.number().optional(),
  head_message_timestamp: z.number().nullish(),
});
const nodesSchema = z.array(
  z.looseObject({
    name: z.string(),
    running: z.boolean().default(true),
    mem_alarm: z.boolean().default(false),
    disk_free_alarm: z.boolean().default(false),
    disk_free: z.number().optional(),
    disk_free_limit: z.number().optional(),
    partitions: z.array(z.string()).default([]),
    applications: z.array(z.looseObject({ name: z.string(), version: z.string() })).default([]),
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
    const [nodes, ...queues] = answers;
    const read = {
      nodes: nodesSchema.safeParse(foundIn(nodes)),
      queues: z.array(queueSchema).safeParse(queues.filter(({ kind }) => kind === 'found').map(foundIn)),
    };
    if (!read.nodes.success || !read.queues.success) return { kind: 'unmanaged', why: STRANGE };
    const managed: Managed = { kind: 'managed', nodes: read.nodes.data, queues: read.queues.data };
    const isComplete = managed.queues.every(
      ({ type, members }) => type !== 'quorum' || members !== undefined,
    );
    if (isComplete || performance.now() > giveUpAt) return managed;
    await sleep(RETRY_MS);
  }
}

/** Something else listens there, or a proxy answers for it. */
export const STRANGE = 'the answer is not that of RabbitMQ';

/** The list in an answer; an empty one where there is nothing. */
export function foundIn(answer: ManagementAnswer | undefined): unknown {
  return answer?.kind === 'found' ? answer.body : [];
}
