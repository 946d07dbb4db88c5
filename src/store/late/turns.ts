import { type Sql, statement } from '../sql.ts';

const ADVISORY_LOCK = 72_707_374;

const TAKE_OUT = statement('late.take-out', `select pg_advisory_xact_lock(${ADVISORY_LOCK})::text as locked`);
const LEAVE_IN = statement(
  'late.leave-in',
  `select pg_advisory_xact_lock_shared(${ADVISORY_LOCK})::text as locked`,
);

/**
 * Before late calls are pruned, in the same transaction: nobody attaches any until its end, so that none is both counted as
 * uninvoiced for ever and on an invoice. A statement of its own, for the next one sees what was attached by then.
 */
export async function holdLateCalls(sql: Sql): Promise<void> {
  await sql(TAKE_OUT, []);
}

/** Before late calls are attached: none is pruned until the end of the transaction. Any number may do so at once. */
export async function keepLateCalls(sql: Sql): Promise<void> {
  await sql(LEAVE_IN, []);
}
