import type { Database } from '../database.ts';
import { areInvoicesMoved, moveInvoices } from '../persist/moved-rows.ts';
import { statement } from '../sql.ts';
import { type Placing, placed, placingValues, RATES } from './place.ts';
import { LATE_CALLS, LATE_ENTRIES } from './things.ts';
import { keepLateCalls } from './turns.ts';

/** In whose name entries are added, and why. */
export interface Attaching extends Placing {
  customer: number;
  by: string;
  why: string;
}

/** Late calls come by their start, late entries by their call: at most one of a call at once, for each follows the last. */
export const lateKinds = ['calls', 'entries'] as const;
export type LateKind = (typeof lateKinds)[number];

/** Where the portion before ended. */
export interface Place {
  start: string;
  uniqueid: string;
}

export const BEGINNING: Place = { start: '-infinity', uniqueid: '' };

export interface Portion {
  /** Late ones that were looked at. */
  seen: number;
  attached: number;
  /** Null where nothing was seen. */
  last: Place | null;
}

/** A transaction of tens of milliseconds: the invoice's row is locked for no longer. */
export const PORTION = 300;

const CALLS = `
  select late.uniqueid, '' as late_entry, 1 as sign, late.start, late.scustomer as customer, late.cost, late.currency, late.tax,
    late.taxes, late.messages, late.time, late.update_balance, late.update_invoices, late.customer_currency, late.customer_rate
  from ${LATE_CALLS} and late.scustomer = $1 and late.start >= $8::timestamptz
    and (late.start, late.uniqueid) > ($8::timestamptz, $7)
  order by late.start, late.uniqueid limit ${PORTION}`;

const ENTRIES = `
  select e.uniqueid, e.id as late_entry, case e.kind when 'reversing' then -1 else 1 end as sign,
    coalesce(c.start, $8::timestamptz) as start, e.customer, e.cost, e.currency, e.tax,
    e.taxes, e.messages, e.time, e.update_balance, e.update_invoices, e.customer_currency, e.customer_rate
  from (
    select distinct on (late.uniqueid) late.* from ${LATE_ENTRIES} and late.customer = $1 and late.uniqueid > $7
    order by late.uniqueid, late.id limit ${PORTION}) as e
  left join cdrs c using (uniqueid)`;

/**
 * One atomic statement: adds an attaching entry for each late thing that has an invoice, and moves the invoices by exactly
 * what was added. What somebody else attaches or takes back at the same time is left out: the unique keys say so. Entries come before
 * invoices, as in `write`, so that nothing can deadlock; the locked invoice must still be what the amounts were computed for,
 * and open, else CDR01.
 *
 * $1 to $4 as in `placed`, $5 by, $6 why, $7 and $8 where to go on.
 */
const attachOf = (things: string, lastPlace: string) => `
with rate as materialized (${RATES}),
late as materialized (${things}),
placed as materialized (${placed('late')}),
inserted as (
  insert into corrections (id, kind, uniqueid, follows, late_entry, customer, charged, calls,
    invoice, invoice_cost, invoice_tax, invoice_calls, late, cost, currency, tax, taxes, messages, "time",
    update_balance, update_invoices, system_rate, currency_rate, customer_currency, customer_rate,
    invoice_currency, invoice_rate, booked_by, why)
  select gen_random_uuid()::text, 'attaching', p.uniqueid, coalesce(last.id, ''), p.late_entry, p.customer, 0, 0,
    p.invoice, p.invoice_cost, p.invoice_tax, p.sign, false, p.cost, p.currency, p.tax,
    coalesce(last.taxes, p.taxes), coalesce(last.messages, p.messages), coalesce(last.time, p.time),
    p.update_balance, p.update_invoices, system.rate, p.currency_rate, p.customer_currency, p.customer_rate,
    p.invoice_currency, p.invoice_rate, $5, $6
  from placed p join rate system on system.code = $4::char(3)
  left join lateral (
    select e.id, e.taxes, e.messages, e.time from corrections e
    where e.uniqueid = p.uniqueid
      and not exists (select from corrections f where f.uniqueid = e.uniqueid and f.follows = e.id)
    limit 1) as last on true
  where p.left_out is null order by p.uniqueid
  on conflict do nothing
  returning customer, invoice, invoice_currency, invoice_cost, invoice_tax, invoice_calls),
invoice_sum as materialized (
  select invoice as id, customer, invoice_currency as currency,
    sum(invoice_cost) as cost, sum(invoice_tax) as tax, sum(invoice_calls) as calls
  from inserted group by invoice, customer, invoice_currency),
${moveInvoices('$3')}
select
  ${areInvoicesMoved} as moved,
  (select count(*)::int from late) as seen, (select count(*)::int from inserted) as attached,
  (select json_build_object('start', start::text, 'uniqueid', uniqueid) from late order by ${lastPlace} limit 1) as last`;

const ATTACH = {
  calls: statement('late.attach-calls', attachOf(CALLS, 'start desc, uniqueid desc')),
  entries: statement('late.attach-entries', attachOf(ENTRIES, 'uniqueid desc')),
};

const SET_LOCK_TIMEOUT = statement('late.set-lock-timeout', `select set_config('lock_timeout', $1, true)`);

/** For the row of an invoice that somebody else has locked. */
const LOCK_MS = 3000;
const TRANSACTION_MS = 60_000;

/**
 * Puts a portion of what is late of a customer on invoices. Throws what the database throws: CDR01 where an invoice was closed
 * meanwhile, 55P03 where somebody has locked one. Then nothing of this portion has happened, and it may be tried again.
 */
export async function attachPortion(
  { transaction }: Pick<Database, 'transaction'>,
  attaching: Attaching,
  kind: LateKind,
  after: Place,
): Promise<Portion> {
  const { by, why } = attaching;
  return await transaction(
    async (sql) => {
      await sql(SET_LOCK_TIMEOUT, [String(LOCK_MS)]);
      await keepLateCalls(sql);
      const values = [...placingValues(attaching), by, why, after.uniqueid, after.start];
      const [row] = await sql<Portion>(ATTACH[kind], values);
      return row ?? { seen: 0, attached: 0, last: null };
    },
    { timeoutMs: TRANSACTION_MS },
  );
}
