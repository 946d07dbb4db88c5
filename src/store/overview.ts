import { deadReasons } from '../domain/outcome.ts';
import { type Sql, statement } from './sql.ts';

/** One bucket of time. */
export interface Bucket {
  at: Date;
  count: number;
}

export interface Overview {
  /** Calls stored a minute, the last hour. */
  stored: Bucket[];
  /** Dead letters that died last in each minute of the last hour. */
  died: Bucket[];
  /** Dead letters by status. */
  statuses: { status: string; count: number }[];
  /** Open dead letters of the last 24 hours by reason and by machine, hour by hour. */
  byReason: { name: string; hours: number[] }[];
  byMachine: { name: string; hours: number[] }[];
}

const MINUTES = 60;
const HOURS = 24;
const MACHINES = 10;

/** The calls of one hour, by the block range index on received_at. */
const STORED = statement(
  'overview.stored',
  `
  select minute as at, count(c.received_at)::int as count
  from generate_series(date_trunc('minute', now()) - interval '${MINUTES - 1} minutes', now(), '1 minute') minute
  left join (select date_trunc('minute', received_at) as received_at from cdrs
    where received_at >= date_trunc('minute', now()) - interval '${MINUTES - 1} minutes') c on c.received_at = minute
  group by minute order by minute`,
);

const DIED = statement(
  'overview.died',
  `
  select minute as at, count(d.at)::int as count
  from generate_series(date_trunc('minute', now()) - interval '${MINUTES - 1} minutes', now(), '1 minute') minute
  left join (select date_trunc('minute', last_dead_at) as at from dead_letters
    where last_dead_at >= date_trunc('minute', now()) - interval '${MINUTES - 1} minutes') d on d.at = minute
  group by minute order by minute`,
);

const STATUSES = statement(
  'overview.statuses',
  'select status, count(*)::int as count from dead_letters group by status order by status',
);

const byHour = (column: string, limit: number) => `
  select coalesce(${column}, '(unknown)') as name, array(
    select count(*) filter (where moment = hour)::int from unnest(array_agg(date_trunc('hour', last_dead_at))) moment
    right join generate_series(date_trunc('hour', now()) - interval '${HOURS - 1} hours', now(), '1 hour') hour
      on moment = hour group by hour order by hour) as hours
  from dead_letters
  where status in ('dead', 'replaying') and last_dead_at >= date_trunc('hour', now()) - interval '${HOURS - 1} hours'
  group by 1 order by count(*) desc, 1 limit ${limit}`;
const BY_REASON = statement('overview.by-reason', byHour('reason', deadReasons.length));
const BY_MACHINE = statement('overview.by-machine', byHour('machine', MACHINES));

/** What the first page of the console shows. */
export async function readOverview(sql: Sql): Promise<Overview> {
  const [stored, died, statuses, byReason, byMachine] = await Promise.all([
    sql<Bucket>(STORED, []),
    sql<Bucket>(DIED, []),
    sql<{ status: string; count: number }>(STATUSES, []),
    sql<{ name: string; hours: number[] }>(BY_REASON, []),
    sql<{ name: string; hours: number[] }>(BY_MACHINE, []),
  ]);
  return { stored, died, statuses, byReason, byMachine };
}
