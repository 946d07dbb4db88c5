import { clean, shorten } from '../../domain/text.ts';
import { type Sql, statement } from '../sql.ts';

/** A session that holds something, as an operator finds it in `pg_stat_activity`. */
export interface Session {
  /** Null for a prepared transaction, or where it is unknown. */
  pid: number | null;
  /** application_name */
  application: string | null;
  /** When its transaction began, where this role may see it. */
  since: string | null;
}

/** Names of an application are what their user gave. */
const NAME_MAX = 63;

export function describeSession({ pid, application, since }: Session): string {
  const session =
    pid === null
      ? 'a prepared transaction'
      : `process ${pid} (${shorten(clean(application || 'unnamed'), NAME_MAX)})`;
  return `${session}${since === null ? '' : `, whose transaction began at ${since}`}`;
}

interface LockedTable extends Session {
  name: string;
  isGranted: boolean;
}

/**
 * Who has locked a table that all calls need, or waits to lock it with everybody else behind: DDL such as `create index`, or
 * `lock table`. Reads catalogs only, so that it waits for none of these locks itself. Tables that only refused messages or
 * corrections need are not among these: calls go on beside them.
 */
const LOCKED = statement(
  'persist.locked-tables',
  `
select relation.name, k.pid, a.application_name as application,
  to_char(a.xact_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as since, k.granted as "isGranted"
from unnest('{customers,invoices,cdrs}'::text[]) as relation (name)
join pg_locks k on k.locktype = 'relation' and k.relation = to_regclass(relation.name)
left join pg_stat_activity a on a.pid = k.pid
where k.database = (select oid from pg_database where datname = current_database())
  and k.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  and k.pid is distinct from pg_backend_pid()
order by not k.granted, a.xact_start, relation.name
limit 1`,
);

/** One line about the table that somebody has locked as a whole; undefined if none is. Throws what the database throws. */
export async function lockedTable(sql: Sql): Promise<string | undefined> {
  const [found] = await sql<LockedTable>(LOCKED, []);
  if (found === undefined) return undefined;
  const waits = found.isGranted ? '' : '; it waits for the lock itself, and all others behind it';
  return `${found.name}, by ${describeSession(found)}${waits}`;
}
