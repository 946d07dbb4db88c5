import type { BillingRules } from '../../domain/charge.ts';
import type { Outcome } from '../../domain/outcome.ts';
import type { Submission } from '../../domain/submission.ts';
import type { Database } from '../database.ts';
import { statement } from '../sql.ts';
import { persist } from './persist.ts';

export interface MovedCall {
  uniqueid: string;
  customer: number;
  charged: string;
  currency: string;
}

const MOVED = statement(
  'dry-run.moved',
  `select uniqueid, scustomer as customer, trim_scale(charged)::text as charged, customer_currency as currency
   from cdrs where uniqueid = any(array(select json_array_elements_text($1::json)))`,
);

/** Ends a transaction that must not be kept. */
class RolledBack extends Error {}

/**
 * Persists in a transaction that is rolled back. Returns what the submissions would become, and what the calls that would be
 * stored would be charged. Throws what the database throws.
 */
export async function persistAndRollBack(
  database: Pick<Database, 'transaction'>,
  submissions: readonly Submission[],
  billing: BillingRules,
  timeoutMs: number,
): Promise<{ outcomes: Outcome[]; moved: MovedCall[] }> {
  let result: { outcomes: Outcome[]; moved: MovedCall[] } = { outcomes: [], moved: [] };
  const work = database.transaction(
    async (sql) => {
      const outcomes = await persist(sql, submissions, billing);
      const stored = submissions.flatMap((submission, index) =>
        submission.kind === 'call' && outcomes[index]?.kind === 'accepted'
          ? [submission.call.cdr.uniqueid]
          : [],
      );
      const moved = await sql<MovedCall>(MOVED, [JSON.stringify(stored)]);
      result = { outcomes, moved };
      throw new RolledBack();
    },
    { timeoutMs },
  );
  await work.catch((error: unknown) => {
    if (!(error instanceof RolledBack)) throw error;
  });
  return result;
}
