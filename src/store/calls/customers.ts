import { type Sql, statement } from '../sql.ts';
import type { CallFilter } from './filter.ts';

/** Whose calls a search is about: an index has them by customer. */
export interface CallsOfCustomer {
  customer: number;
  /** Calls of others that were corrected to this customer: few. */
  moved: readonly string[];
}

const OF_INVOICE = statement('calls.customer-of-invoice', 'select customer from invoices where id = $1::int');

const MOVED = statement(
  'calls.moved-to',
  `select distinct e.uniqueid from corrections e join cdrs d using (uniqueid)
   where e.customer = $1::int and e.kind = 'new' and d.scustomer <> e.customer`,
);

/**
 * The customer of the filter, or of its invoice. Null for neither, 'nobody' where no call can match: there is no such invoice,
 * or it is another customer's.
 */
export async function customerOf(
  sql: Sql,
  { customer, invoice }: CallFilter,
): Promise<CallsOfCustomer | 'nobody' | null> {
  const [of] = invoice === undefined ? [] : await sql<{ customer: number }>(OF_INVOICE, [invoice]);
  if (invoice !== undefined && of === undefined) return 'nobody';
  const id = customer ?? of?.customer;
  if (id === undefined) return null;
  if (of !== undefined && of.customer !== id) return 'nobody';
  const moved = await sql<{ uniqueid: string }>(MOVED, [id]);
  return { customer: id, moved: moved.map(({ uniqueid }) => uniqueid) };
}
