import type { BillingRules } from '../../domain/charge.ts';
import type { Outcome } from '../../domain/outcome.ts';
import type { Submission } from '../../domain/submission.ts';
import type { Database } from '../database.ts';
import { type Sql, statement } from '../sql.ts';
import { persist } from './persist.ts';

/** What a stored call has moved. */
export interface MovedCall {
  uniqueid: string;
  customer: number;
  charged: string;
  currency: string;
  /** The invoice that gained it; null if none did. */
  invoice: number | null;
  /** It asks to be put on an invoice, and none took it. */
  uninvoiced: boolean;
  /** What its invoice gained; of an uninvoiced call its cost and taxes, in its own currency. */
  billed: string | null;
  billedCurrency: string | null;
}

const MOVED = statement(
  'dry-run.moved',
  `select uniqueid, scustomer as customer, trim_scale(charged)::text as charged, customer_currency as currency,
     case update_invoices when 1 then invoice end as invoice, update_invoices = 1 and invoice is null as uninvoiced,
     case when update_invoices = 1 then trim_scale(case when invoice is null then cost + tax
       else invoice_cost + invoice_tax end)::text end as billed,
     case when update_invoices = 1 then coalesce(invoice_currency, currency) end as "billedCurrency"
   from cdrs where uniqueid = any(array(select json_array_elements_text($1::json)))`,
);

/** Ends a transaction that must not be kept. */
class RolledBack extends Error {}

/** Does the work in a transaction that is rolled back, and returns what it came to. Throws what the database throws. */
export async function rollingBack<Result>(
  database: Pick<Database, 'transaction'>,
  work: (sql: Sql) => Promise<Result>,
  timeoutMs: number,
): Promise<Result> {
  const results: Result[] = [];
  const rolledBack = database.transaction(
    async (sql) => {
      results.push(await work(sql));
      throw new RolledBack();
    },
    { timeoutMs },
  );
  await rolledBack.catch((error: unknown) => {
    if (!(error instanceof RolledBack)) throw error;
  });
  for (const result of results) return result;
  throw new Error('a transaction ended before its work');
}

/** Persists within a transaction. Returns what the submissions became, and what the calls that were stored have moved. */
export async function persistAndLook(
  sql: Sql,
  submissions: readonly Submission[],
  billing: BillingRules,
): Promise<{ outcomes: Outcome[]; moved: MovedCall[] }> {
  const outcomes = await persist(sql, submissions, billing);
  const stored = submissions.flatMap((submission, index) =>
    submission.kind === 'call' && outcomes[index]?.kind === 'accepted' ? [submission.call.cdr.uniqueid] : [],
  );
  return { outcomes, moved: await sql<MovedCall>(MOVED, [JSON.stringify(stored)]) };
}
