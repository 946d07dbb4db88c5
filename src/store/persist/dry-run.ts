import type { BillingRules } from '../../domain/charge.ts';
import { REVERSAL } from '../../domain/entry.ts';
import { isFirst, type Outcome } from '../../domain/outcome.ts';
import { entryIdOf, type Submission } from '../../domain/submission.ts';
import { pairs } from '../../pairs.ts';
import type { Database } from '../database.ts';
import { type Sql, statement } from '../sql.ts';
import { persist } from './persist.ts';

/** What a stored call has moved, or a correction: of an update the difference that it makes to whom it charges now. */
export interface MovedCall {
  /** The uniqueid of the call; of a correction the id of its entry. */
  of: string;
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
  `select uniqueid as of, scustomer as customer, trim_scale(charged)::text as charged, customer_currency as currency,
     case update_invoices when 1 then invoice end as invoice, update_invoices = 1 and invoice is null as uninvoiced,
     case when update_invoices = 1 then trim_scale(case when invoice is null then cost + tax
       else invoice_cost + invoice_tax end)::text end as billed,
     case when update_invoices = 1 then coalesce(invoice_currency, currency) end as "billedCurrency"
   from cdrs where uniqueid = any(array(select json_array_elements_text($1::json)))`,
);

const MOVED_BY_ENTRIES = statement(
  'dry-run.moved-by-entries',
  `select e.id as of, e.customer, trim_scale(sum(m.charged))::text as charged, e.customer_currency as currency, e.invoice,
     e.late as uninvoiced, trim_scale(case when e.late then e.cost + e.tax
       else sum(m.invoice_cost + m.invoice_tax) filter (where m.invoice = e.invoice) end)::text as billed,
     case when e.late then e.currency else e.invoice_currency end as "billedCurrency"
   from corrections e join corrections m on m.uniqueid = e.uniqueid and m.customer = e.customer
     and m.id in (e.id, e.id || '${REVERSAL}')
   where e.id = any(array(select json_array_elements_text($1::json))) group by e.id`,
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
  const first = pairs(submissions, outcomes).flatMap(([one, outcome]) => (isFirst(outcome) ? [one] : []));
  const calls = first.flatMap((one) => (one.kind === 'call' ? [one.call.cdr.uniqueid] : []));
  const entries = first.flatMap((one) => entryIdOf(one) ?? []);
  const moved = await sql<MovedCall>(MOVED, [JSON.stringify(calls)]);
  if (entries.length > 0) moved.push(...(await sql<MovedCall>(MOVED_BY_ENTRIES, [JSON.stringify(entries)])));
  return { outcomes, moved };
}
