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
 * SQL: the open invoice that comes next after a time, for `openInvoicesOf`. One with an empty period never takes calls.
 *
 * @param time as SQL
 */
export function nextAfter(time: string): string {
  return `period_start > ${time} and period_start < period_end order by period_start, id limit 1`;
}

/**
 * SQL to be joined: the `open` invoices of a customer, by (customer, status, period_start). Each word is looked for by
 * itself (`offset` keeps it so): with `= any (…)` a prepared statement would read every invoice that the customer ever had.
 *
 * @param customer as SQL
 * @param during a condition on the invoice, as SQL, with the order and limit for each word, if any
 */
export function openInvoicesOf(customer: string, words: `$${number}`, during: string): string {
  return `unnest(${words}::text[]) as word(status)
        cross join lateral (
          select * from invoices where customer = ${customer} and status = word.status and ${during}
          offset 0) as open`;
}
