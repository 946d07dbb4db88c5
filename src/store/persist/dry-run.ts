import type { Outcome } from '../../domain/outcome.ts';
import type { Submission } from '../../domain/submission.ts';
import type { PrismaClient } from '../generated/client.ts';
import { sqlOf } from '../sql.ts';
import { persist } from './persist.ts';

export interface MovedCall {
  uniqueid: string;
  customer: number;
  charged: string;
  currency: string;
}

/** Ends a transaction that must not be kept. */
class RolledBack extends Error {}

/**
 * Persists in a transaction that is rolled back: what the calls would become, and what the stored ones would charge.
 * Throws what the database throws.
 */
export async function persistAndRollBack(
  prisma: PrismaClient,
  submissions: readonly Submission[],
  systemCurrency: string,
  timeoutMs: number,
): Promise<{ outcomes: Outcome[]; moved: MovedCall[] }> {
  let result: { outcomes: Outcome[]; moved: MovedCall[] } = { outcomes: [], moved: [] };
  const work = prisma.$transaction(
    async (transaction) => {
      const sql = sqlOf(transaction);
      const outcomes = await persist(sql, submissions, systemCurrency);
      const stored = submissions.flatMap(({ verdict }, index) =>
        verdict.kind === 'call' && outcomes[index]?.kind === 'accepted' ? [verdict.call.cdr.uniqueid] : [],
      );
      const moved = await sql<MovedCall>(
        `select uniqueid, scustomer as customer, trim_scale(charged)::text as charged, customer_currency as currency
         from cdrs where uniqueid = any(array(select json_array_elements_text($1::json)))`,
        [JSON.stringify(stored)],
      );
      result = { outcomes, moved };
      throw new RolledBack();
    },
    { timeout: timeoutMs, maxWait: timeoutMs },
  );
  await work.catch((error: unknown) => {
    if (!(error instanceof RolledBack)) throw error;
  });
  return result;
}
