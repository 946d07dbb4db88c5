import { type DeadLetterRows, insertDeadLetters, insertKeysOf, lettersIn } from '../dead-letters/insert.ts';
import { frequent, type Sql } from '../sql.ts';
import { callColumns, callsInLines, linesOf } from './columns.ts';
import { areCustomersMoved, areInvoicesMoved, moveCustomers, moveInvoices } from './moved-rows.ts';
import { type Charged, NO_TERMS, termsHold } from './terms.ts';

/**
 * The one statement that persists a batch, atomic by itself: it inserts calls, adds exactly the inserted ones to balances and
 * invoices, and keeps dead letters. A uniqueid that another worker stored meanwhile is left out and adds nothing.
 *
 * Every worker takes locks in the same order, so that they cannot deadlock: dead letters by key, calls by uniqueid,
 * customers by id, invoices by id. Customers come late because one of them may be hot: its row is locked only from there
 * to the commit. The totals are summed from the inserted rows. The locked rows must still be what the calls were charged on,
 * else CDR01, and must have been updated, else CDR02, which names the rows that a trigger or row security kept as they were.
 *
 * If a trigger leaves out a dead letter without an error, the statement fails: the message would be lost.
 *
 * $1 calls, $2 terms, $3 statuses of open invoices, $4 dead letters. Without dead letters it does not touch their table, which somebody may have locked.
 * test/fixtures/write.sql shows both statements as they are assembled here.
 */
const writeWith = (deadLetters: { kept: string; checked: string }) => `
with terms as materialized (${termsHold}),
${deadLetters.kept}
call as materialized (${callsInLines}),
inserted as (
  insert into cdrs (${callColumns})
  select ${callColumns} from call order by uniqueid
  on conflict (uniqueid) do nothing
  returning uniqueid, scustomer, customer_currency, charged, update_balance,
    invoice, invoice_currency, invoice_cost, invoice_tax, update_invoices),
customer_sum as materialized (
  select scustomer as id, customer_currency as currency, sum(charged) as charged, count(*) as calls
  from inserted where update_balance = 1 group by scustomer, customer_currency),
${moveCustomers},
invoice_sum as materialized (
  select invoice as id, scustomer as customer, invoice_currency as currency,
    sum(invoice_cost) as cost, sum(invoice_tax) as tax, count(*) as calls
  from inserted where update_invoices = 1 and invoice is not null group by invoice, scustomer, invoice_currency),
${moveInvoices('$3')}
select
  (select hold from terms)${deadLetters.checked}
    and ${areCustomersMoved}
    and ${areInvoicesMoved} as hold,
  array(select uniqueid from call except select uniqueid from inserted) as lost`;

export const WRITE_CALLS = frequent('persist.write-calls', writeWith({ kept: '', checked: '' }));
export const WRITE = frequent(
  'persist.write',
  writeWith({
    kept: `letter as materialized (${lettersIn('$4')}),
dead as (${insertDeadLetters}),
told as (insert into dead_letter_events (dead_letter, event) select id, 'reopened' from dead where is_reopened),
found_by as (${insertKeysOf('dead')}),`,
    checked: `
    and settle_moved('dead letters that the database leaves out without an error:',
    array(select (select count(*) from letter)::int - count(*)::int from dead
      having count(*) <> (select count(*) from letter)))`,
  }),
);

/**
 * Writes the calls and dead letters of a batch. Returns the uniqueids that another worker stored meanwhile. Throws what the
 * database throws: CDR01 where the terms no longer hold, CDR02 where a row was not updated. Then nothing was written.
 */
export function write(
  sql: Sql,
  calls: readonly Charged[],
  terms: string,
  deadLetters: DeadLetterRows,
  openStatuses: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = deadLetters;
  const values = [linesOf(calls), terms, openStatuses];
  const written =
    rows.length === 0
      ? sql<Written>(WRITE_CALLS, values)
      : sql<Written>(WRITE, [...values, JSON.stringify(rows)]);
  return written.then(lostOf);
}

interface Written {
  lost: string[];
}

export const NOTHING_LOST: ReadonlySet<string> = new Set();

function lostOf([row]: readonly Written[]): ReadonlySet<string> {
  return row === undefined || row.lost.length === 0 ? NOTHING_LOST : new Set(row.lost);
}

/** Keeps dead letters alone. Throws what the database throws. */
export async function writeDeadLetters(
  sql: Sql,
  deadLetters: DeadLetterRows,
  openStatuses: readonly string[],
): Promise<void> {
  await write(sql, [], JSON.stringify(NO_TERMS), deadLetters, openStatuses);
}
