import type { BillingRules } from '../../domain/charge.ts';
import { isOpen } from '../open-invoices.ts';
import { type Sql, statement } from '../sql.ts';

/** What the tables of the billing system hold. */
export interface BillingState {
  hasInvoices: boolean;
  hasOpen: boolean;
  /** Where none is open: the words that there are, ten at most. */
  statuses: string[];
  /** Ids, ten each at most, of those whose currency has no exchange rate. */
  taxes: number[];
  customers: number[];
  /** Open ones only: no other takes calls. */
  invoices: number[];
}

const UNKNOWN = 'currency <> $2::text and currency not in (select code from currencies)';

const BILLING = statement(
  'health.billing-state',
  `
  select exists (select from invoices) as "hasInvoices", exists (select from invoices where ${isOpen('status', '$1')}) as "hasOpen",
    array(select distinct status from invoices where not exists (select from invoices where ${isOpen('status', '$1')})
      order by status limit 10) as statuses,
    array(select id from taxes where ${UNKNOWN} order by id limit 10) as taxes,
    array(select id from customers where ${UNKNOWN} order by id limit 10) as customers,
    array(select id from invoices where ${isOpen('status', '$1')} and ${UNKNOWN} order by id limit 10) as invoices`,
);

/** Reads the state of the billing system's tables. Throws what the database throws. */
export async function readBillingState(sql: Sql, billing: BillingRules): Promise<BillingState> {
  const [row] = await sql<BillingState>(BILLING, [billing.openStatuses, billing.systemCurrency]);
  if (row === undefined) throw new Error('the database gave no row');
  return row;
}
