import { expect } from 'vitest';
import {
  type CorrectingOperation,
  type Correction,
  correctionFingerprint,
} from '../../src/domain/correction.ts';
import { type Changes, NO_CHANGES } from '../../src/domain/correction-contract.ts';
import { minimalDeadLetter } from '../../src/domain/dead-letter.ts';
import type { CorrectionSubmission } from '../../src/domain/submission.ts';
import { persist } from '../../src/store/persist/persist.ts';
import { BILLING } from './billing.ts';
import type { BillingDatabase } from './persisting.ts';

/** A correction as it is asked for; `void` where nothing changes. */
export interface Asked {
  id: string;
  uniqueid?: string;
  changes?: Partial<Changes>;
  confinement?: Correction['confinement'];
}

export function correctionOf({ id, uniqueid = 'u-1', changes, confinement = null }: Asked): Correction {
  const operation: CorrectingOperation = changes === undefined ? 'void' : 'update';
  const parameters = { uniqueid, changes: { ...NO_CHANGES, ...changes } };
  const fingerprint = correctionFingerprint(operation, parameters);
  return { operation, id, ...parameters, fingerprint, bookedBy: 'shop', why: null, confinement };
}

/** The same as the worker admits it. */
export function asked(one: Asked): CorrectionSubmission {
  const correction = correctionOf(one);
  const body = Buffer.from(JSON.stringify(one));
  return {
    kind: 'correction',
    correction,
    uniqueid: correction.uniqueid,
    deadLetter: () => minimalDeadLetter(body, body.length),
    cleaned: 0,
  };
}

/** Books corrections in one batch. Says of each what it became, and of a refusal its parameter. */
export async function correct(db: BillingDatabase, ...all: readonly Asked[]): Promise<string[]> {
  const outcomes = await persist(db.sql, all.map(asked), BILLING);
  return outcomes.map((outcome) =>
    outcome.kind === 'rejected' ? `rejected ${outcome.errors.map(({ key }) => key).join(' ')}` : outcome.kind,
  );
}

const SUMS = `
  select 'customer ' || c.id as of, c.charged - coalesce(s.charged, 0) as money, c.calls - coalesce(s.calls, 0) as calls,
    c.balance + c.charged - o.balance as balance
  from customers c join opening o using (id) left join (
    select id, sum(charged) as charged, sum(calls) as calls from (
      select scustomer as id, charged, update_balance as calls from cdrs
      union all select customer, charged, calls from corrections) as part group by id) as s using (id)
  union all
  select 'invoice ' || i.id, i.cost - coalesce(s.cost, 0) + (i.tax - coalesce(s.tax, 0)) * 1000, i.calls - coalesce(s.calls, 0),
    i.total - i.cost - i.tax
  from invoices i left join (
    select id, sum(cost) as cost, sum(tax) as tax, sum(calls) as calls from (
      select invoice as id, invoice_cost as cost, invoice_tax as tax, 1 as calls
      from cdrs where update_invoices = 1 and invoice is not null
      union all select invoice, invoice_cost, invoice_tax, invoice_calls from corrections where invoice is not null)
    as part group by id) as s using (id)`;

/** Keeps what the balances are now, for `expectConserved`. */
export async function keepOpeningBalances(db: BillingDatabase): Promise<void> {
  await db.execute('create table opening as select id, balance + charged as balance from customers');
}

/** Balances, counts and invoices are the sums of calls and entries, and no entry is followed twice. */
export async function expectConserved(db: BillingDatabase): Promise<void> {
  expect(
    await db.rows(`select of from (${SUMS}) as sums where money <> 0 or calls <> 0 or balance <> 0`),
  ).toEqual([]);
}
