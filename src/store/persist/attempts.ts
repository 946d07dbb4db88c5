import type { BillingRules } from '../../domain/charge.ts';
import type { HeldBy, PersistResult } from '../../domain/held.ts';
import type { Submission } from '../../domain/submission.ts';
import { answersInOrder, pairs } from '../../pairs.ts';
import type { Database } from '../database.ts';
import { type Sql, statement } from '../sql.ts';
import { isOrder, persistOrder } from './corrections-orders.ts';
import type { Lookup } from './look-up.ts';
import { type PersistContext, persistUnlessHeld } from './persist.ts';
import { hasReplays, persistWithReplays } from './replays.ts';

/** The ways of trying a batch. */
export interface Attempts {
  /**
   * Without a transaction of its own and without tighter timeouts; `lookup` is what its calls refer to, where it has been
   * looked up before.
   */
  plain: (submissions: readonly Submission[], isHeld: HeldBy, lookup?: Lookup) => Promise<PersistResult[]>;
  /** In one transaction with these settings of PostgreSQL, in milliseconds. */
  limited: (settings: Readonly<Record<string, number>>) => LimitedAttempt;
  sql: Sql;
  openStatuses: readonly string[];
}
export type LimitedAttempt = (submissions: readonly Submission[], isHeld: HeldBy) => Promise<PersistResult[]>;

/** A setting by its name, and its value, until the transaction ends. */
export const SET_FOR_TRANSACTION = statement(
  'persist.set-for-transaction',
  'select set_config($1, $2, true)',
);

/** What operators have ordered in a transaction each, after everything else as usual. */
async function persistWithOrders(
  { sql, transaction }: Pick<Database, 'sql' | 'transaction'>,
  submissions: readonly Submission[],
  context: PersistContext,
  timeoutMs: number,
): Promise<PersistResult[]> {
  const orders = submissions.filter(isOrder);
  const others = submissions.filter((submission) => !isOrder(submission));
  const persisted = await persistUnlessHeld(sql, others, context);
  const results = new Map<Submission, PersistResult>(pairs(others, persisted));
  for (const order of orders)
    results.set(order, await transaction((within) => persistOrder(within, order, context), { timeoutMs }));
  return answersInOrder(submissions, results);
}

/** Attempts on a real database. */
export function attemptsOn(
  database: Pick<Database, 'sql' | 'transaction'>,
  billing: BillingRules,
  timeoutMs: number,
): Attempts {
  const persistOn = (
    on: Pick<Database, 'sql' | 'transaction'>,
    submissions: readonly Submission[],
    isHeld: HeldBy,
    lookup?: Lookup,
  ) => {
    const context = { billing, isHeld, lookup };
    if (hasReplays(submissions)) return persistWithReplays(on, submissions, context, timeoutMs);
    if (submissions.some(isOrder)) return persistWithOrders(on, submissions, context, timeoutMs);
    return persistUnlessHeld(on.sql, submissions, on === database ? { ...context, beside: on.sql } : context);
  };
  return {
    sql: database.sql,
    openStatuses: billing.openStatuses,
    plain: (submissions, isHeld, lookup) => persistOn(database, submissions, isHeld, lookup),
    limited: (settings) => (submissions, isHeld) =>
      database.transaction(
        async (sql) => {
          for (const [name, value] of Object.entries(settings))
            await sql(SET_FOR_TRANSACTION, [name, String(value)]);
          // What is a transaction of its own elsewhere is part of this one.
          const within = { sql, transaction: <Result>(work: (sql: Sql) => Promise<Result>) => work(sql) };
          return await persistOn(within, submissions, isHeld);
        },
        { timeoutMs },
      ),
  };
}
