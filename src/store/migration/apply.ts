import { retry } from '../../retry.ts';
import { isLockTimeout, sqlStateOf } from '../failures.ts';
import { statement } from '../sql.ts';
import { recordApplied, recordFinished } from './history.ts';
import { concurrentIndexOf, isStepOfItsOwn, type Migration, madeBy } from './scripts.ts';
import { MigrationError, type MigrationSession } from './session.ts';

const DEADLOCK = '40P01';
/** Between two tries for the lock of a table, so that those who queued behind the first get on with their work. */
const BETWEEN_TRIES_MS = 500;

const INDEX = statement(
  'migration.index',
  'select indisvalid as valid from pg_index where indexrelid = to_regclass(quote_ident($1))',
);

const FOUND = statement(
  'migration.found',
  `select (select count(*) from unnest($1::text[]) as r(name) where to_regclass(quote_ident(r.name)) is not null)::int
    + (select count(*) from unnest($2::text[], $3::text[]) as c(relation, name)
       join pg_attribute a on a.attrelid = to_regclass(quote_ident(c.relation)) and a.attname = c.name and not a.attisdropped)::int
    as count`,
);

/**
 * Applies one migration. Either it is a transaction together with its row of history, so that both are there or neither; or
 * it is a step of its own that is repeated until its row is there. What locks a table asks for the lock for a moment only, again
 * and again for `patienceMs`. Throws what the database throws.
 *
 * @param isUnfinished the history has a try of it that never ended
 */
export async function applyMigration(
  session: MigrationSession,
  migration: Migration,
  isUnfinished: boolean,
  patienceMs: number,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  const inTransaction = !isStepOfItsOwn(migration.sql);
  if (inTransaction && isUnfinished && (await wasCommitted(session, migration)))
    return await recordFinished(session.sql, migration.name);
  await retry(
    () => (inTransaction ? applyAtOnce(session, migration) : applyStep(session, migration)),
    (error) => (isLockTimeout(error) || sqlStateOf(error) === DEADLOCK) && performance.now() < deadline,
    () => session.pause(BETWEEN_TRIES_MS),
  );
}

async function applyAtOnce(session: MigrationSession, migration: Migration): Promise<void> {
  const startedAt = new Date();
  await session.script('begin');
  try {
    await session.script(migration.sql);
    await recordApplied(session.sql, migration, startedAt);
    await session.script('commit');
  } catch (error) {
    await session.script('rollback').catch(() => undefined);
    throw error;
  }
}

async function applyStep(session: MigrationSession, migration: Migration): Promise<void> {
  const startedAt = new Date();
  const index = concurrentIndexOf(migration.sql);
  if (index === undefined) await session.script(migration.sql);
  else if (!(await isBuilt(session, index))) await build(session, migration.sql);
  await recordApplied(session.sql, migration, startedAt);
}

/** An index whose building was interrupted stays, invalid and in the way of the next try: it is dropped. */
async function isBuilt({ sql, script }: MigrationSession, index: string): Promise<boolean> {
  const [found] = await sql<{ valid: boolean }>(INDEX, [index]);
  if (found?.valid === false) await script(`drop index concurrently "${index}"`);
  return found?.valid === true;
}

/** Building waits for everybody who was at work on the table before, as long as that takes, and keeps nobody waiting. */
async function build({ script }: MigrationSession, sql: string): Promise<void> {
  await script('set lock_timeout = 0');
  try {
    await script(sql);
  } finally {
    await script('reset lock_timeout').catch(() => undefined);
  }
}

/**
 * Whether the script of a try that never ended was committed: PostgreSQL may have gone on with it when its client was gone. It
 * was a transaction, so that everything it makes is there or nothing.
 */
async function wasCommitted({ sql }: MigrationSession, migration: Migration): Promise<boolean> {
  const { relations, columns } = madeBy(migration.sql);
  const tables = columns.map(({ table }) => table);
  const names = columns.map(({ name }) => name);
  const [found] = await sql<{ count: number }>(FOUND, [relations, tables, names]);
  const count = found?.count ?? 0;
  if (count > 0 && count < relations.length + columns.length)
    throw new MigrationError(
      `migration ${migration.name} was begun and never finished, and only a part of what it makes is there (${count} of ${
        relations.length + columns.length
      } tables, columns and indexes): somebody has changed the schema`,
    );
  return count > 0;
}
