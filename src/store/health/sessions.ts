import { type Sql, statement } from '../sql.ts';

/** Somebody's open transaction on this database. */
export interface OpenTransaction {
  /**
   * prepared: for a second phase that has not come. idle: its session does nothing. active: it works. blocking: others wait
   * for a lock that it holds.
   */
  kind: 'prepared' | 'idle' | 'active' | 'blocking';
  /** The name of a prepared one; process and application of the others. */
  whose: string;
  /** How long it has been so; of a blocking one, how long somebody has waited. */
  seconds: number;
}

/** Of the role of this session. */
export interface SessionRights {
  /** This role may see what the sessions of others do; prepared and blocking transactions everybody sees. */
  seesOthers: boolean;
  role: string;
}

export interface SessionsState extends SessionRights {
  transactions: OpenTransaction[];
}

const TRANSACTIONS = statement(
  'health.open-transactions',
  `
  select 'prepared' as kind, gid as whose, extract(epoch from now() - prepared)::int as seconds
  from pg_prepared_xacts where database = current_database()
  union all
  select case when state like 'idle in transaction%' then 'idle' else 'active' end,
    format('process %s (%s of %s)', pid, coalesce(nullif(application_name, ''), 'unnamed'), usename),
    extract(epoch from now() - case when state like 'idle in transaction%' then state_change else xact_start end)::int
  from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null and state is not null
    and backend_type = 'client backend'
  union all
  select 'blocking', format('process %s (%s of %s)', blocker.pid, coalesce(nullif(application_name, ''), 'unnamed'), usename),
    max(extract(epoch from now() - waitstart))::int
  from pg_locks as waiting cross join unnest(pg_blocking_pids(waiting.pid)) as blocker(pid)
    join pg_stat_activity on pg_stat_activity.pid = blocker.pid
  where not granted and waitstart is not null and datname = current_database()
  group by blocker.pid, application_name, usename
  order by seconds desc limit 100`,
);

const RIGHTS = statement(
  'health.rights-on-sessions',
  `select pg_has_role(current_user, 'pg_read_all_stats', 'usage') as "seesOthers", current_user::text as role`,
);

/** Reads who has a transaction open on this database, the longest first. Throws what the database throws. */
export async function readSessionsState(sql: Sql): Promise<SessionsState> {
  return { transactions: await sql<OpenTransaction>(TRANSACTIONS, []), ...(await readSessionRights(sql)) };
}

/** Reads what this role may see of the sessions of others. Throws what the database throws. */
export async function readSessionRights(sql: Sql): Promise<SessionRights> {
  const [rights] = await sql<SessionRights>(RIGHTS, []);
  if (rights === undefined) throw new Error('the database gave no row');
  return rights;
}
