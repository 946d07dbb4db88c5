/**
 * SQL, for after `from`: the calls, as `late`, that belong on an invoice and that none took. The index `cdrs_late_idx` has
 * them and those that an entry has put on one, or taken back, since.
 */
export const LATE_CALLS = `cdrs late
  where late.update_invoices = 1 and late.invoice is null
    and not exists (select from corrections taking where taking.uniqueid = late.uniqueid and taking.late_entry = '')`;

/** The same for entries. */
export const LATE_ENTRIES = `corrections late
  where late.late
    and not exists (select from corrections taking where taking.uniqueid = late.uniqueid and taking.late_entry = late.id)`;

/** SQL: late calls and late entries alike. `sign` is what one counts on an invoice. */
export const LATE_THINGS = `
  select late.uniqueid, '' as late_entry, 'call' as kind, 1 as sign, late.start, late.scustomer as customer,
    late.cost, late.currency, late.tax
  from ${LATE_CALLS}
  union all
  select e.uniqueid, e.id, e.kind, case e.kind when 'reversing' then -1 else 1 end,
    coalesce(c.start, e.booked_at), e.customer, e.cost, e.currency, e.tax
  from (select late.* from ${LATE_ENTRIES}) as e left join cdrs c using (uniqueid)`;
