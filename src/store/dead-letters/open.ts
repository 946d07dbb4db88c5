import type { DeadReason } from '../../domain/outcome.ts';
import { deadReasons } from '../../domain/outcome.ts';
import { type Sql, statement } from '../sql.ts';

/** Open dead letters of one reason. */
export interface OpenDeadLetters {
  reason: DeadReason;
  /** At most COUNTED_AT_MOST: counting all of a flood would make it worse. */
  count: number;
  /** Seconds since the first death of the oldest one; 0 if there is none. */
  oldestSeconds: number;
}

export const COUNTED_AT_MOST = 100_000;

const OPEN = statement(
  'dead-letters.open',
  `
  select r.reason, (select count(*)::int from (select 1 from dead_letters d where d.is_open and d.reason = r.reason
      limit ${COUNTED_AT_MOST}) counted) as count,
    greatest(0, coalesce(extract(epoch from clock_timestamp() - (select min(d.first_dead_at) from dead_letters d
      where d.is_open and d.reason = r.reason)), 0))::float8 as "oldestSeconds"
  from unnest($1::text[]) as r (reason)`,
);

/** Counts the open dead letters of each reason, from an index alone. Throws what the database throws. */
export async function readOpenDeadLetters(sql: Sql): Promise<OpenDeadLetters[]> {
  return await sql<OpenDeadLetters>(OPEN, [[...deadReasons]]);
}
