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
