import { randomUUID } from 'node:crypto';
import type { Sql } from '../sql.ts';
import { statement } from '../sql.ts';
import type { Migration } from './scripts.ts';

/** What `_prisma_migrations` says, the table in which Prisma keeps which migrations a database has. */
export interface History {
  applied: ReadonlySet<string>;
  /** Started and neither finished nor marked as rolled back: their process died, or another tool's try failed. */
  unfinished: ReadonlySet<string>;
}

const EXISTS = statement(
  'migration.history-exists',
  `select to_regclass('_prisma_migrations') is not null as "exists"`,
);

const READ = statement(
  'migration.history',
  `select migration_name as name, finished_at is not null as finished from _prisma_migrations where rolled_back_at is null`,
);

/** As Prisma makes it. */
const CREATE = statement(
  'migration.create-history',
  `create table if not exists _prisma_migrations (
    id varchar(36) primary key not null,
    checksum varchar(64) not null,
    finished_at timestamptz,
    migration_name varchar(255) not null,
    logs text,
    rolled_back_at timestamptz,
    started_at timestamptz not null default now(),
    applied_steps_count integer not null default 0
  )`,
);

/** What somebody else keeps in the schema: tables and views, those of extensions apart. */
const OTHERS = statement(
  'migration.others',
  `select exists (select from pg_class c where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and c.relname <> '_prisma_migrations'
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')) as "exists"`,
);

const ROLL_BACK = statement(
  'migration.mark-rolled-back',
  `update _prisma_migrations set rolled_back_at = clock_timestamp()
   where migration_name = $1 and finished_at is null and rolled_back_at is null`,
);

const RECORD = statement(
  'migration.record',
  `insert into _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
   values ($1, $2, $3, $4::timestamptz, clock_timestamp(), 1)`,
);

const FINISH = statement(
  'migration.finish',
  `update _prisma_migrations set finished_at = clock_timestamp(), applied_steps_count = 1
   where migration_name = $1 and finished_at is null and rolled_back_at is null`,
);

/** Throws what the database throws. */
export async function readHistory(sql: Sql): Promise<History> {
  const [table] = await sql<{ exists: boolean }>(EXISTS, []);
  if (table?.exists !== true) return { applied: new Set(), unfinished: new Set() };
  const rows = await sql<{ name: string; finished: boolean }>(READ, []);
  const named = (isFinished: boolean) =>
    new Set(rows.filter(({ finished }) => finished === isFinished).map(({ name }) => name));
  return { applied: named(true), unfinished: named(false) };
}

/** Whether the database holds tables of somebody else. */
export async function holdsOthers(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ exists: boolean }>(OTHERS, []);
  return row?.exists === true;
}

export async function createHistory(sql: Sql): Promise<void> {
  await sql(CREATE, []);
}

/** Writes that a migration is applied, and that earlier tries, if there were any, were rolled back. */
export async function recordApplied(sql: Sql, { name, checksum }: Migration, startedAt: Date): Promise<void> {
  await sql(ROLL_BACK, [name]);
  await sql(RECORD, [randomUUID(), checksum, name, startedAt]);
}

/** Writes that a migration whose try was never finished is applied all the same. */
export async function recordFinished(sql: Sql, name: string): Promise<void> {
  await sql(FINISH, [name]);
}
