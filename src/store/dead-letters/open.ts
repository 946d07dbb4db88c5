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

/** What the open dead letters of one reason cost in one currency. */
export interface OpenAmount {
  reason: DeadReason;
  currency: string;
  /** For people, not for books. */
  amount: number;
}

/** Their rows have to be read, where counting needs an index alone. */
const ADDED_UP_AT_MOST = 10_000;

const AMOUNTS = statement(
  'dead-letters.open-amounts',
  `
  select r.reason, c.code::text as currency, sum(d.cost)::float8 as amount
  from unnest($1::text[]) as r (reason)
  cross join lateral (select coalesce(d.currency, $2::char(3)) as currency, d.cost, d.verified from dead_letters d
    where d.is_open and d.reason = r.reason order by d.first_dead_at limit ${ADDED_UP_AT_MOST}) d
  join currencies c on c.code = d.currency
  where d.verified and d.cost is not null
  group by 1, 2`,
);

/**
 * What the open dead letters cost of which it is known that they are calls: their sender is verified, their cost can be read, and
 * their currency is loaded. Of each reason the oldest, up to ADDED_UP_AT_MOST. Throws what the database throws.
 */
export async function readOpenAmounts(sql: Sql, systemCurrency: string): Promise<OpenAmount[]> {
  return await sql<OpenAmount>(AMOUNTS, [[...deadReasons], systemCurrency]);
}

/** Counts the open dead letters of each reason, from an index alone. Throws what the database throws. */
export async function readOpenDeadLetters(sql: Sql): Promise<OpenDeadLetters[]> {
  return await sql<OpenDeadLetters>(OPEN, [[...deadReasons]]);
}
