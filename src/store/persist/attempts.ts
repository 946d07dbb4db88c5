import type { HeldBy, PersistResult } from '../../domain/held.ts';
import type { Submission } from '../../domain/submission.ts';
import type { Database } from '../database.ts';
import { type Sql, statement } from '../sql.ts';
import type { Lookup } from './look-up.ts';
import { persistWithReplays } from './replays.ts';

/** The ways of trying a batch. */
export interface Attempts {
  /** As always. */
  plain: PersistAttempt;
  /** In one transaction with these settings of PostgreSQL, in milliseconds. */
  limited: (settings: Readonly<Record<string, number>>) => PersistAttempt;
  sql: Sql;
}
export type PersistAttempt = (
  submissions: readonly Submission[],
  isHeld: HeldBy,
  lookup?: Lookup,
) => Promise<PersistResult[]>;

const SET_FOR_TRANSACTION = statement('persist.set-for-transaction', 'select set_config($1, $2, true)');

/** Attempts on a real database. */
export function attemptsOn(
  database: Pick<Database, 'sql' | 'transaction'>,
  systemCurrency: string,
  timeoutMs: number,
): Attempts {
  return {
    sql: database.sql,
    plain: (submissions, isHeld, lookup) =>
      persistWithReplays(database, submissions, systemCurrency, timeoutMs, isHeld, lookup),
    limited: (settings) => (submissions, isHeld) =>
      database.transaction(
        async (sql) => {
          for (const [name, value] of Object.entries(settings))
            await sql(SET_FOR_TRANSACTION, [name, String(value)]);
          // What is a transaction of its own elsewhere is part of this one.
          const within = { sql, transaction: <Result>(work: (sql: Sql) => Promise<Result>) => work(sql) };
          return await persistWithReplays(within, submissions, systemCurrency, timeoutMs, isHeld);
        },
        { timeoutMs },
      ),
  };
}
