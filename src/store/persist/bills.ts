import { type Bill, type BilledTax, type BillTerms, billFor, type ChargedCall } from '../../domain/bill.ts';
import type { Decision } from '../../domain/decide.ts';
import type { Outcome } from '../../domain/outcome.ts';
import type { CallSubmission } from '../../domain/submission.ts';
import { frequent, type Sql } from '../sql.ts';

/** The JSON that BILLS builds: a bill whose taxes are as `cdrs.tax_terms` has them. */
interface StoredBill extends Omit<Bill, 'terms'> {
  terms: Omit<BillTerms, 'taxes'> & { taxes: readonly StoredTax[] };
}

type StoredTax = Pick<BilledTax, 'id' | 'rate' | 'flat'> & { currency?: string; currency_rate?: string };

/** SQL of a stored decimal's canonical text, because JSON would make a double of it. */
const text = (column: string) => `trim_scale(${column})::text`;

/** One text for each call: many values of many rows would cost the worker more than reading JSON. */
const BILLS = frequent(
  'persist.bills',
  `
  select json_build_object('uniqueid', uniqueid, 'entry', null, 'customer', scustomer, 'charged', ${text('charged')},
    'currency', customer_currency, 'cost', ${text('cost')}, 'tax', ${text('tax')}, 'callCurrency', currency,
    'invoice', invoice, 'invoiceCost', ${text('invoice_cost')}, 'invoiceTax', ${text('invoice_tax')},
    'invoiceCurrency', invoice_currency, 'terms', json_build_object(
      'systemRate', ${text('system_rate')}, 'currencyRate', ${text('currency_rate')},
      'customerRate', ${text('customer_rate')}, 'invoiceRate', ${text('invoice_rate')},
      'taxes', coalesce(tax_terms, '[]')))::text as bill
  from cdrs where uniqueid = any(array(select json_array_elements_text($1::json)))`,
);

/** Bills of calls by uniqueid, from what is stored. One that is missing has been pruned. */
async function readBills(sql: Sql, uniqueids: ReadonlySet<string>): Promise<Map<string, Bill>> {
  const rows = await sql<{ bill: string }>(BILLS, [JSON.stringify([...uniqueids])]);
  const bills = new Map<string, Bill>();
  for (const { bill } of rows) {
    const stored = billOnRecord(JSON.parse(bill) as StoredBill);
    bills.set(stored.uniqueid, stored);
  }
  return bills;
}

function billOnRecord(stored: StoredBill): Bill {
  const { terms } = stored;
  // In what was read itself: a copy for each repeat would be garbage soon.
  return Object.assign(stored, { terms: Object.assign(terms, { taxes: terms.taxes.map(taxOnRecord) }) });
}

function taxOnRecord({ id, rate, flat, currency, currency_rate }: StoredTax): BilledTax {
  return { id, rate, flat, currency: currency ?? null, currencyRate: currency_rate ?? null };
}

/** The answer to a repeat of a stored call. */
export type Duplicate = Extract<Outcome, { kind: 'duplicate' }>;

/**
 * Adds to the answers to repeats of a batch the bills of their calls: of those that the batch itself stores from their
 * charges, of all others from the database, which is asked only where there are any.
 */
export async function addBills(
  sql: Sql,
  decided: readonly { submission: CallSubmission; decision: Decision }[],
): Promise<void> {
  const repeats = new Map<Duplicate, string>();
  for (const { submission, decision } of decided)
    if (decision.kind === 'answer' && decision.outcome.kind === 'duplicate')
      repeats.set(decision.outcome, submission.call.cdr.uniqueid);
  if (repeats.size === 0) return;
  const repeated = new Set(repeats.values());
  const charged = new Map<string, ChargedCall>();
  for (const { submission, decision } of decided) {
    const { call } = submission;
    if (decision.kind === 'store' && repeated.has(call.cdr.uniqueid))
      charged.set(call.cdr.uniqueid, { call, charge: decision.charge });
  }
  for (const [outcome, uniqueid] of repeats) {
    const first = charged.get(uniqueid);
    if (first !== undefined) outcome.bill = billFor(first);
  }
  await addStoredBills(sql, repeats);
}

/** The same for answers whose calls are all stored. Of a pruned call there is no bill any more. */
export async function addStoredBills(sql: Sql, repeats: ReadonlyMap<Duplicate, string>): Promise<void> {
  const asked = [...repeats].filter(([{ bill }]) => bill === undefined);
  if (asked.length === 0) return;
  const bills = await readBills(sql, new Set(asked.map(([, uniqueid]) => uniqueid)));
  for (const [outcome, uniqueid] of asked) {
    const bill = bills.get(uniqueid);
    if (bill !== undefined) outcome.bill = bill;
  }
}
