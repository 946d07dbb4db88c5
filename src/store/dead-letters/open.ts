import type { DeadReason } from '../../domain/outcome.ts';
import { deadReasons } from '../../domain/outcome.ts';
import { type Sql, statement } from '../sql.ts';

/** Open dead letters of one reason. */
export interface OpenDeadLetters {
  reason: DeadReason;
  /** Not above COUNTED_AT_MOST: counting a flood to its end would add to it. */
  count: number;
  /** Seconds since the oldest of them died first; 0 without any. */
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

/** How many dead letters of each reason are open, from an index alone. Throws what the database throws. */
export async function readOpenDeadLetters(sql: Sql): Promise<OpenDeadLetters[]> {
  return await sql<OpenDeadLetters>(OPEN, [[...deadReasons]]);
}
