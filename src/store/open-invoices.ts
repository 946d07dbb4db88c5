/**
 * SQL: whether an invoice in hand is open.
 *
 * @param status of the invoice, as SQL
 * @param words the placeholder of the statuses of open invoices (`BillingRules`)
 */
export function isOpen(status: string, words: `$${number}`): string {
  return `${status} = any(${words}::text[])`;
}

/**
 * SQL to be joined: the `open` invoices of a customer, by (customer, status, period_start). Each word is looked for by
 * itself (`offset` keeps it so): with `= any (…)` a prepared statement would read every invoice that the customer ever had.
 *
 * @param customer as SQL
 * @param during a condition on the invoice, as SQL
 */
export function openInvoicesOf(customer: string, words: `$${number}`, during: string): string {
  return `unnest(${words}::text[]) as word(status)
        cross join lateral (
          select * from invoices where customer = ${customer} and status = word.status and ${during}
          offset 0) as open`;
}
