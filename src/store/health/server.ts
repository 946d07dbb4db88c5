import { type Sql, statement } from '../sql.ts';

/** What a database server reports about itself. */
export interface ServerState {
  version: string;
  major: number;
  isWritable: boolean;
  /** Those of fsync, full_page_writes and synchronous_commit that are off: with each, commits may be lost. */
  unsafe: string[];
  /** Settings of single roles or of this database that would do the same, or keep sessions from writing. */
  unsafeOverrides: string[];
  /** synchronous_standby_names; '' for none. */
  synchronousStandbys: string;
  /** Whether commits wait for these standbys at all. */
  waitsForStandbys: boolean;
  /** Connections of clients, and how many there may be besides those that are reserved. */
  connections: number;
  maxConnections: number;
  /** The system's rules of sorting have changed under the indexes of texts: the version then and now, else null. */
  collation: { recorded: string; actual: string } | null;
  /** Milliseconds by which its clock is ahead of this machine's, to within half of `roundTripMs`. */
  clockAheadMs: number;
  roundTripMs: number;
}

const SERVER = statement(
  'health.server-state',
  `
  select current_setting('server_version') as version, current_setting('server_version_num')::int / 10000 as major,
    current_setting('transaction_read_only') = 'off' as "isWritable",
    array(select name::text from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit')
      and setting = 'off' order by name) as unsafe,
    array(select format('%s of %s', setting, coalesce('role ' || rolname, 'the database'))
      from pg_db_role_setting left join pg_roles on pg_roles.oid = setrole cross join unnest(setconfig) as setting
      where setdatabase in (0, (select oid from pg_database where datname = current_database()))
        and setting ~* '^(synchronous_commit=(off|false|no|0)|default_transaction_read_only=(on|true|yes|1)|session_replication_role=replica)$'
      order by 1) as "unsafeOverrides",
    current_setting('synchronous_standby_names') as "synchronousStandbys",
    current_setting('synchronous_commit') not in ('local', 'off') as "waitsForStandbys",
    (select count(*)::int from pg_stat_activity where datid is not null) as connections,
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
      - coalesce(current_setting('reserved_connections', true)::int, 0) as "maxConnections",
    (select json_build_object('recorded', datcollversion, 'actual', pg_database_collation_actual_version(oid))
      from pg_database where datname = current_database()
        and datcollversion <> pg_database_collation_actual_version(oid)) as collation`,
);

const CLOCK = statement(
  'health.server-clock',
  `select extract(epoch from clock_timestamp())::float8 * 1000 as now`,
);

/** Reads the state of a database server. Throws what the database throws. */
export async function readServerState(sql: Sql): Promise<ServerState> {
  const [state] = await sql<Omit<ServerState, 'clockAheadMs' | 'roundTripMs'>>(SERVER, []);
  // The first time a statement also waits for being planned, which would look like a difference of clocks.
  await sql(CLOCK, []);
  const asked = Date.now();
  const [clock] = await sql<{ now: number }>(CLOCK, []);
  const answered = Date.now();
  if (state === undefined || clock === undefined) throw new Error('the database gave no row');
  return {
    ...state,
    version: state.version.split(' ')[0] ?? state.version,
    clockAheadMs: Math.round(clock.now - (asked + answered) / 2),
    roundTripMs: answered - asked,
  };
}
