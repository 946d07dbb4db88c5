import type { DeadReason } from '../domain/outcome.ts';
import { type Sql, statement } from './sql.ts';

/** An amount of one currency. */
export interface AtStake {
  currency: string;
  cost: string;
}

/** The open dead letters of one reason. */
export interface OpenReason {
  reason: DeadReason;
  count: number;
  /** Of them, those that died in the last hour. */
  lastHour: number;
  /** When the oldest died first. */
  oldest: Date;
  /** Their costs, where they can be read and the sender is known. */
  atStake: AtStake[];
  /** Those whose sender is not known: their costs are not among those. */
  unverified: number;
}

/** The open dead letters of one machine; null for those that name none. */
export interface OpenMachine {
  machine: string | null;
  count: number;
  lastHour: number;
  oldest: Date;
}

export interface Overview {
  statuses: { status: string; count: number }[];
  /** The largest first. */
  reasons: OpenReason[];
  /** Those with the most open dead letters, MACHINES at most. */
  machines: OpenMachine[];
  /** How many machines have open dead letters. */
  machinesInAll: number;
}

const MACHINES = 10;
const LAST_HOUR = "count(*) filter (where last_dead_at > now() - interval '1 hour')";

const STATUSES = statement(
  'overview.statuses',
  'select status, count(*)::int as count from dead_letters group by status order by status',
);

const REASONS = statement(
  'overview.reasons',
  `
  with part as (
    select reason, coalesce(currency, $1::char(3)) as currency, count(*) as count, ${LAST_HOUR} as last_hour,
      min(first_dead_at) as oldest, sum(cost) filter (where verified) as cost,
      count(*) filter (where not verified) as unverified
    from dead_letters where is_open group by 1, 2)
  select reason, sum(count)::int as count, sum(last_hour)::int as "lastHour", min(oldest) as oldest,
    coalesce(jsonb_agg(jsonb_build_object('currency', currency, 'cost', trim_scale(cost)::text) order by currency)
      filter (where cost <> 0), '[]') as "atStake",
    sum(unverified)::int as unverified
  from part group by reason order by 2 desc, reason`,
);

const MACHINE = statement(
  'overview.machines',
  `
  select machine, count(*)::int as count, ${LAST_HOUR}::int as "lastHour", min(first_dead_at) as oldest,
    (count(*) over ())::int as "inAll"
  from dead_letters where is_open group by machine order by 2 desc, machine limit ${MACHINES}`,
);

/** What is open and how old it is, for the first page of the console. Throws what the database throws. */
export async function readOverview(sql: Sql, systemCurrency: string): Promise<Overview> {
  const [statuses, reasons, machines] = await Promise.all([
    sql<{ status: string; count: number }>(STATUSES, []),
    sql<OpenReason>(REASONS, [systemCurrency]),
    sql<OpenMachine & { inAll: number }>(MACHINE, []),
  ]);
  return {
    statuses,
    reasons,
    machines: machines.map(({ inAll, ...machine }) => machine),
    machinesInAll: machines[0]?.inAll ?? 0,
  };
}
