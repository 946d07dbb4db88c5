import { isOpen } from '../open-invoices.ts';

/**
 * SQL of a `with` list, after `customer_sum` (id, currency, charged, calls): moves balances by these sums. The rows are locked in
 * the order of their ids, so that no two statements can deadlock.
 */
export const moveCustomers = `customer_lock as materialized (
  select s.*, c.currency = s.currency as holds
  from customer_sum s join customers c using (id) order by id for no key update of c),
customer_moved as (
  update customers c
  set balance = c.balance - s.charged, charged = c.charged + s.charged, calls = c.calls + s.calls
  from customer_lock s where c.id = s.id and s.holds
  returning c.id)`;

/** SQL of a result: CDR01 where a locked customer is not what the amounts were computed for, CDR02 where one was not moved. */
export const areCustomersMoved = `settle_assert(not exists (select from customer_lock where not holds), 'a customer changed')
    and settle_moved('customer', array(select id from customer_sum except select id from customer_moved))`;

/**
 * The same for invoices, after `invoice_sum` (id, customer, currency, cost, tax, calls).
 *
 * @param words the placeholder of the statuses of open invoices
 */
export const moveInvoices = (words: `$${number}`) => `invoice_lock as materialized (
  select s.*, i.customer = s.customer and i.currency = s.currency and ${isOpen('i.status', words)} as holds
  from invoice_sum s join invoices i using (id) order by id for no key update of i),
invoice_moved as (
  update invoices i
  set calls = i.calls + s.calls, cost = i.cost + s.cost, tax = i.tax + s.tax, total = i.total + s.cost + s.tax
  from invoice_lock s where i.id = s.id and s.holds
  returning i.id)`;

export const areInvoicesMoved = `settle_assert(not exists (select from invoice_lock where not holds), 'an invoice changed')
    and settle_moved('invoice', array(select id from invoice_sum except select id from invoice_moved))`;
