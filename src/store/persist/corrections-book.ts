import type { References } from '../../domain/charge.ts';
import type { CorrectionDecision } from '../../domain/correction-decision.ts';
import { plain } from '../../domain/money.ts';
import { openInvoicesOf } from '../open-invoices.ts';
import { type Sql, statement } from '../sql.ts';
import { entriesAsJson, entriesIn, writtenColumns } from './corrections-rows.ts';
import { areCustomersMoved, areInvoicesMoved, moveCustomers, moveInvoices } from './moved-rows.ts';
import { invoiceTerms, NO_TERMS, termsHold, textOrNull } from './terms.ts';

const MOVED = `customer, customer_currency, charged, calls, invoice, invoice_currency, invoice_cost, invoice_tax, invoice_calls`;

/** Entries of the call that an entry to be written follows: of one place in the line, if the one before it was written. */
const written = (place: number, condition: string) => `
  insert into corrections (${writtenColumns})
  select ${writtenColumns} from entry where place = ${place}${condition}
  on conflict do nothing
  returning ${MOVED}`;

/**
 * The one statement that books a correction, atomic by itself: it adds its entries to the line of the call, and moves
 * balances and invoices by exactly what was added. Where another one follows the same entry, or its id is taken, nothing
 * happens. Locks are taken in the order in which `write` takes them.
 *
 * $1 entries, $2 terms, $3 statuses of open invoices, $4 the uniqueid of the call, which must still be stored.
 */
const BOOK = statement(
  'persist.book-correction',
  `
with terms as materialized (${termsHold}),
opened as materialized (
  select settle_assert(not exists (
    select from json_to_recordset($2::json -> 'withoutInvoice') as term(customer int, currency char(3))
    cross join ${openInvoicesOf('term.customer', '$3', 'currency = coalesce(term.currency, currency)')}),
    'an invoice was opened') as none),
entry as materialized (${entriesIn('$1')}),
first as (${written(1, '')}),
second as (${written(2, ' and exists (select from first)')}),
booked as materialized (select * from first union all select * from second),
customer_sum as materialized (
  select customer as id, customer_currency as currency, sum(charged) as charged, sum(calls) as calls
  from booked where calls <> 0 group by customer, customer_currency),
${moveCustomers},
invoice_sum as materialized (
  select invoice as id, customer, invoice_currency as currency,
    sum(invoice_cost) as cost, sum(invoice_tax) as tax, sum(invoice_calls) as calls
  from booked where invoice is not null group by invoice, customer, invoice_currency),
${moveInvoices('$3')}
select
  (select hold from terms) as terms, (select none from opened) as opened,
  settle_assert(exists (select from cdrs where uniqueid = $4), 'the call was pruned') as stored,
  settle_assert((select count(*) from booked) in (0, (select count(*) from entry)), 'the id of an entry was taken') as whole,
  ${areCustomersMoved} as customers,
  ${areInvoicesMoved} as invoices,
  exists (select from booked) as booked`,
);

type Booking = Extract<CorrectionDecision, { kind: 'book' }>;

/**
 * Books the entries of a correction. False if the line of the call goes on otherwise, or an id is taken: nothing was
 * written then. Throws what the database throws: CDR01 where the terms no longer hold, CDR02 where a row was not updated.
 *
 * @param references that it was decided on; null where it moves no money
 */
export async function book(
  sql: Sql,
  { entries, withoutInvoice }: Booking,
  references: References | null,
  openStatuses: readonly string[],
): Promise<boolean> {
  const terms = { ...NO_TERMS, ...(references && termsOfEntries(entries, references)), withoutInvoice };
  const [row] = await sql<{ booked: boolean }>(BOOK, [
    entriesAsJson(entries),
    JSON.stringify(terms),
    openStatuses,
    entries[0].uniqueid,
  ]);
  return row?.booked === true;
}

/** What the entries were decided on. Those of a reversing entry are of another day; only its rows have to be as they were. */
function termsOfEntries(entries: Booking['entries'], references: References) {
  const currencies = new Set<string>();
  const taxes = new Map<number, { id: number; rate: string; flat: string; currency: string | null }>();
  for (const { kind, currency, terms } of entries) {
    if (kind !== 'new') continue;
    for (const code of [references.systemCurrency, currency, terms.customerCurrency, terms.invoiceCurrency])
      if (code !== null) currencies.add(code);
    for (const { id, rate, flat, currency: ofFlat } of terms.taxes) {
      taxes.set(id, { id, rate: plain(rate), flat: plain(flat), currency: ofFlat });
      if (ofFlat !== null) currencies.add(ofFlat);
    }
  }
  const invoices = entries.flatMap(({ invoice, customer, terms }) =>
    invoice === null ? [] : [{ id: invoice, customer, currency: terms.invoiceCurrency, open: true }],
  );
  return {
    currencies: [...currencies].map((code) => ({ code, rate: textOrNull(references.currencies.get(code)) })),
    customers: entries.map(({ customer }) => customer),
    customerCurrencies: entries.map(({ terms }) => terms.customerCurrency),
    taxes: [...taxes.values()],
    ...invoiceTerms(invoices),
  };
}
