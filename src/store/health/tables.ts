import { type Sql, statement } from '../sql.ts';

/** What of the schema's own objects, and of what keeps them in order, is not as the migrations have left it. */
export interface TablesState {
  /** Indexes that PostgreSQL does not use and does not hold to; none that somebody is building. */
  invalidIndexes: string[];
  /** Tables that a crash of the server empties. */
  unloggedTables: string[];
  /** Triggers that somebody switched off, as table.trigger. */
  disabledTriggers: string[];
  /** Tables that autovacuum leaves alone; all of them where it is off altogether. */
  unvacuumedTables: string[];
  isAutovacuumOn: boolean;
  /** Sequences that have used most of their numbers, as name and percent. */
  sequences: { name: string; percent: number }[];
  /** Transactions since the oldest row that is not frozen, and at how many autovacuum is forced to freeze. */
  age: number;
  freezeAge: number;
}

const TABLES = statement(
  'health.tables-state',
  `
  with own as (select oid, relname, relkind, relpersistence, reloptions from pg_class
    where relnamespace = current_schema()::regnamespace)
  select
    array(select index.relname::text from pg_index join own as index on index.oid = indexrelid
      where not (indisvalid and indisready) and not exists (select from pg_stat_progress_create_index
        where datname = current_database() and coalesce(index_relid, index.oid) = index.oid)
      order by 1) as "invalidIndexes",
    array(select relname::text from own where relkind = 'r' and relpersistence = 'u' order by 1) as "unloggedTables",
    array(select format('%s.%s', relname, tgname) from pg_trigger join own on own.oid = tgrelid
      where not tgisinternal and tgenabled in ('D', 'R') order by 1) as "disabledTriggers",
    array(select relname::text from own where relkind = 'r'
      and reloptions && array['autovacuum_enabled=false', 'autovacuum_enabled=off', 'autovacuum_enabled=0',
        'autovacuum_enabled=no'] order by 1) as "unvacuumedTables",
    current_setting('autovacuum') = 'on' and current_setting('track_counts') = 'on' as "isAutovacuumOn",
    coalesce((select json_agg(json_build_object('name', sequencename, 'percent', (100.0 * last_value / max_value)::int)
        order by sequencename) from pg_sequences
      where schemaname = current_schema() and last_value > max_value * 0.8), '[]') as sequences,
    (select greatest(age(datfrozenxid), mxid_age(datminmxid)) from pg_database
      where datname = current_database()) as age,
    current_setting('autovacuum_freeze_max_age')::int as "freezeAge"`,
);

/** Reads the state of the tables of the current schema. Throws what the database throws. */
export async function readTablesState(sql: Sql): Promise<TablesState> {
  const [state] = await sql<TablesState>(TABLES, []);
  if (state === undefined) throw new Error('the database gave no row');
  return state;
}
