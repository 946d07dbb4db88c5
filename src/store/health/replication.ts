import { type Sql, statement } from '../sql.ts';

/** A replication slot: PostgreSQL keeps all WAL that its standby has not had. */
export interface Slot {
  name: string;
  isActive: boolean;
  /** reserved, extended, unreserved or lost; null where it was never used. */
  walStatus: string | null;
  /** WAL kept for it, as people read it, such as "3 GB". */
  retained: string | null;
  /** max_slot_wal_keep_size lets it keep no more than so much; without it, it can fill the disk. */
  isBounded: boolean;
}

export interface ReplicationState {
  slots: Slot[];
  /** Standbys that are connected; what they are may be seen with the role pg_read_all_stats only. */
  standbys: number;
  synchronous: number;
  /** Archiving of WAL: null where it is off. */
  archiving: { command: boolean; failedSince: string | null; failures: number; lastFailed: string } | null;
}

const SLOTS = statement(
  'health.replication-slots',
  `
  select slot_name as name, active as "isActive", wal_status as "walStatus",
    pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) as retained,
    current_setting('max_slot_wal_keep_size') <> '-1' as "isBounded"
  from pg_replication_slots where not temporary order by slot_name`,
);

const STATE = statement(
  'health.replication-state',
  `
  select (select count(*)::int from pg_stat_replication) as standbys,
    (select count(*)::int from pg_stat_replication where sync_state in ('sync', 'quorum')) as synchronous,
    case when current_setting('archive_mode') <> 'off' then (
      select json_build_object(
        'command', current_setting('archive_command') <> '' or coalesce(current_setting('archive_library', true), '') <> '',
        'failedSince', case when last_failed_time > coalesce(last_archived_time, '-infinity')
          then to_char(last_failed_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') end,
        'failures', failed_count, 'lastFailed', coalesce(last_failed_wal, ''))
      from pg_stat_archiver) end as archiving`,
);

/** Reads what a primary does for its standbys and its archive. Throws what the database throws. */
export async function readReplicationState(sql: Sql): Promise<ReplicationState> {
  const slots = await sql<Slot>(SLOTS, []);
  const [state] = await sql<Omit<ReplicationState, 'slots'>>(STATE, []);
  if (state === undefined) throw new Error('the database gave no row');
  return { ...state, slots };
}
