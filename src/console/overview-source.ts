import { type HeardState, readHeard } from '../store/heard/read.ts';
import { type Overview, readOverview } from '../store/overview.ts';
import type { Sql } from '../store/sql.ts';
import { type Bucket, Throughput } from '../store/throughput.ts';

/** How full the queues are, or one line why the broker cannot be asked. */
export type QueueDepths =
  | { kind: 'known'; queues: { name: string; depth: { ready: number; consumers: number } | null }[] }
  | { kind: 'unknown'; problem: string };

/** What the first page shows. */
export interface OverviewState extends Overview {
  queues: QueueDepths;
  heard: HeardState[];
}

/** By which the calls are counted: the minutes of an hour or the hours of a day. */
export const units = ['minute', 'hour'] as const;
export type Unit = (typeof units)[number];

export interface OverviewSource {
  state: () => Promise<OverviewState>;
  buckets: (unit: Unit) => Promise<Bucket[]>;
}

/** However many pages are open, the servers are asked once in this time: pages are renewed as often. */
const SHARED_MS = 5_000;

export function createOverviewSource(
  sql: Sql,
  systemCurrency: string,
  readQueues: () => Promise<QueueDepths>,
): OverviewSource {
  const throughput = new Throughput(sql);
  const state = shared(async () => {
    const [overview, queues, heard] = await Promise.all([
      readOverview(sql, systemCurrency),
      readQueues(),
      readHeard(sql),
    ]);
    return { ...overview, queues, heard };
  });
  const buckets = {
    minute: shared(() => throughput.minutes()),
    hour: shared(() => throughput.hours()),
  } satisfies Record<Unit, () => Promise<Bucket[]>>;
  return { state, buckets: (unit) => buckets[unit]() };
}

/** The same answer for everybody who asks while it is under way and for some seconds after; a failure is not kept. */
function shared<Answer>(read: () => Promise<Answer>): () => Promise<Answer> {
  let answer: Promise<Answer> | undefined;
  let staleAt = 0;
  return () => {
    if (answer !== undefined && performance.now() < staleAt) return answer;
    const asked = read();
    answer = asked;
    staleAt = Number.POSITIVE_INFINITY;
    asked.then(
      () => {
        staleAt = performance.now() + SHARED_MS;
      },
      () => {
        answer = undefined;
      },
    );
    return asked;
  };
}
