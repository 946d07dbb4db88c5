import { type Sql, statement } from './sql.ts';

/** What a database reports about itself. */
export interface DatabaseState {
  version: string;
  isWritable: boolean;
  /** Those of fsync, full_page_writes and synchronous_commit that are off: with each, commits may be lost. */
  unsafe: string[];
  /** synchronous_standby_names; '' for none. */
  synchronousStandbys: string;
  /** Milliseconds by which its clock is ahead of this machine's, to within half of `roundTripMs`. */
  clockAheadMs: number;
  roundTripMs: number;
}

const STATE = statement(
  'health.database-state',
  `
  select current_setting('server_version') as version, current_setting('transaction_read_only') = 'off' as writable,
    array(select name from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit')
      and setting = 'off' order by name) as unsafe,
    current_setting('synchronous_standby_names') as standbys,
    extract(epoch from clock_timestamp())::float8 * 1000 as now`,
);

/** Reads the state of a database. Throws what the database throws. */
export async function readDatabaseState(sql: Sql): Promise<DatabaseState> {
  type Row = { version: string; writable: boolean; unsafe: string[]; standbys: string; now: number };
  // The first statement of a connection also waits for connecting and planning, which would look like a difference of clocks.
  await sql(STATE, []);
  const asked = Date.now();
  const [row] = await sql<Row>(STATE, []);
  const answered = Date.now();
  if (row === undefined) throw new Error('the database gave no row');
  return {
    version: row.version.split(' ')[0] ?? row.version,
    isWritable: row.writable,
    unsafe: row.unsafe,
    synchronousStandbys: row.standbys,
    clockAheadMs: Math.round(row.now - (asked + answered) / 2),
    roundTripMs: answered - asked,
  };
}
