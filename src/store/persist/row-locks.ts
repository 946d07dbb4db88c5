import { WORKER_NAME } from '../database.ts';
import { openInvoicesOf } from '../open-invoices.ts';
import { type Sql, statement } from '../sql.ts';

/** Rows that a batch may move or write. */
export interface RowIds {
  customers: readonly number[];
  /** Customers whose open invoices the batch may move. */
  invoiced: readonly number[];
  /** Which invoices are open. */
  openStatuses: readonly string[];
  invoices: readonly number[];
  deadLetters: readonly string[];
}

/** A row that somebody has locked, and who, where that can be found out. */
export interface LockedRow {
  of: 'customer' | 'invoice' | 'dead letter';
  id: string;
  /** Of the session; null for a prepared transaction, or where it is unknown. */
  pid: number | null;
  /** application_name of the session. */
  application: string | null;
  /** When its transaction began, where this role may see it. */
  since: string | null;
  /** What PostgreSQL calls its transaction; null where nobody has the row any more. */
  transaction: string | null;
  /** The session calls itself a worker, or nobody has the row any more. */
  isOfWorker: boolean;
  /** Nobody is known to have the row: it may also have been given back at this very moment. */
  isGuess: boolean;
  /** The session waits for a lock in its turn. */
  isWaiting: boolean;
  /** For how long the session has done nothing in its transaction. */
  idleMs: number;
}

/**
 * Tries to lock every row without waiting. For each that is locked already, finds the transactions in its `xmax` that are still
 * running (pg_locks), and their sessions. A statement of its own, so that its own locks end with it.
 *
 * What a transaction did after a savepoint that it has released is recorded under a number that pg_locks no longer shows.
 * Where no owner is found, the row is attributed to the oldest session that has changed or locked rows of the same table,
 * and is no worker if there is such a one. If that is wrong, the next look finds that the row is free or who has it.
 *
 * It names every other table that calls are decided on, without reading it: where one is locked as a whole, as by a reload
 * that truncates it, this waits too.
 */
const LOCKED = statement(
  'persist.locked-rows',
  `
with decided_on as (select from currencies, taxes, peers, customer_keys, known_calls limit 0),
customer as materialized (
  select id from customers where id in (select unnest($1::int[]))
  order by id for no key update skip locked),
wanted_invoice as materialized (
  select id from invoices where id in (select unnest($3::int[]))
  union
  select open.id from unnest($2::int[]) as wanted(id)
        cross join ${openInvoicesOf('wanted.id', '$5', 'true')}),
invoice as materialized (
  select i.id from invoices i where i.id in (select id from wanted_invoice)
  order by i.id for no key update skip locked),
letter as materialized (
  select id from dead_letters where id in (select unnest($4::bigint[]))
  order by id for no key update skip locked),
locked as materialized (
  select 'customer' as of, 'customers'::regclass as relation, id::bigint, xmax as holder from customers
  where id in (select unnest($1::int[])) and id not in (select id from customer)
  union all
  select 'invoice', 'invoices'::regclass, id, xmax from invoices
  where id in (select id from wanted_invoice) and id not in (select id from invoice)
  union all
  select 'dead letter', 'dead_letters'::regclass, id, xmax from dead_letters
  where id in (select unnest($4::bigint[])) and id not in (select id from letter)),
session as materialized (
  select k.locktype, k.mode, k.transactionid, k.relation, k.virtualtransaction, k.pid,
    a.application_name as application, a.xact_start as began,
    coalesce(a.application_name = '${WORKER_NAME}', false) as is_worker,
    coalesce(a.wait_event_type = 'Lock', false) as is_waiting,
    case when a.state like 'idle in transaction%'
      then extract(epoch from clock_timestamp() - a.state_change) * 1000 else 0 end::float8 as idle_ms
  from pg_locks k left join pg_stat_activity a on a.pid = k.pid
  where exists (select from locked) and k.granted and k.pid is distinct from pg_backend_pid()
    and (k.locktype = 'transactionid' and k.mode = 'ExclusiveLock'
      or k.locktype = 'relation' and k.mode in ('RowShareLock', 'RowExclusiveLock')
        and k.database = (select oid from pg_database where datname = current_database()))),
owner as (
  select distinct on (of, id) of, id, session.*
  from locked
  cross join lateral (
    select false as is_guess, session.* from row_holders(holder) as member(xid)
    join session on locktype = 'transactionid' and transactionid = member.xid
    union all
    select true, session.* from session where locktype = 'relation' and session.relation = locked.relation) as session
  order by of, id, is_guess, is_worker, mode = 'RowExclusiveLock' desc, began)
select locked.of, locked.id::text, pid, application,
  to_char(began at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as since,
  virtualtransaction as transaction, coalesce(is_worker, true) as "isOfWorker",
  coalesce(is_guess, true) as "isGuess", coalesce(is_waiting, false) as "isWaiting", coalesce(idle_ms, 0) as "idleMs"
from locked left join owner on owner.of = locked.of and owner.id = locked.id
where not exists (select from decided_on)
order by locked.of, locked.id`,
);

/**
 * Which of these rows are locked, and by whom. Throws what the database throws: 55P03 where a whole table is.
 */
export async function lockedRows(sql: Sql, rows: RowIds): Promise<LockedRow[]> {
  return await sql<LockedRow>(LOCKED, [
    rows.customers,
    rows.invoiced,
    rows.invoices,
    rows.deadLetters,
    rows.openStatuses,
  ]);
}
