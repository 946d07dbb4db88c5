/** Where an entry is added: a database, or a transaction. */
interface Entering {
  execute: (text: string) => Promise<unknown>;
}

type Values = Record<string, string | number | boolean | null>;

/** An entry without amounts: its call is on nothing it moves. */
const STILL = {
  late_entry: null,
  charged: 0,
  calls: 0,
  invoice: null,
  invoice_cost: 0,
  invoice_tax: 0,
  invoice_calls: 0,
  late: false,
  booked_by: 'boss',
};

/**
 * Adds an entry as it stands and moves what it says. It has the terms of its call where it gives none.
 *
 * @param of the id of the entry that it is like, '' for the call
 */
async function addEntry(db: Entering, uniqueid: string, of: string, sql: string): Promise<void> {
  const like = of === '' ? 'cdrs' : 'corrections';
  const which = of === '' ? '' : ` and id = '${of}'`;
  await db.execute(`
    with entry as (
      insert into corrections
      select (jsonb_populate_record(null::corrections, ${sql})).* from ${like} c where uniqueid = '${uniqueid}'${which}
      returning *),
    customer as (
      update customers set charged = customers.charged + e.charged, balance = balance - e.charged,
        calls = customers.calls + e.calls from entry e where customers.id = e.customer)
    update invoices set calls = invoices.calls + e.invoice_calls, cost = invoices.cost + e.invoice_cost,
      tax = invoices.tax + e.invoice_tax, total = total + e.invoice_cost + e.invoice_tax
    from entry e where invoices.id = e.invoice`);
}

const json = (values: Values) => `'${JSON.stringify(values)}'::jsonb`;
const customerOf = (of: string) => (of === '' ? 'c.scustomer' : 'c.customer');

/** Takes back the call, or its entry `of`, where it stands; `as` says what is different. */
export async function reverse(
  db: Entering,
  {
    id,
    uniqueid,
    of = '',
    follows = of,
    ...as
  }: { id: string; uniqueid: string; of?: string; follows?: string } & Values,
): Promise<void> {
  await addEntry(
    db,
    uniqueid,
    of,
    `to_jsonb(c) || ${json({ ...STILL, id, kind: 'reversing', follows, booked_at: 'now' })} || jsonb_build_object(
      'customer', ${customerOf(of)}, 'charged', -charged, 'calls', -update_balance, 'cost', -cost, 'tax', -tax,
      'invoice', invoice, 'invoice_cost', -invoice_cost, 'invoice_tax', -invoice_tax,
      'invoice_calls', case when invoice is null then 0 else -1 end) || ${json(as)}`,
  );
}

/** Books the call, or its entry `of`, anew as it is; `as` says what is different. */
export async function bookAgain(
  db: Entering,
  {
    id,
    uniqueid,
    of = '',
    follows,
    ...as
  }: { id: string; uniqueid: string; of?: string; follows: string } & Values,
): Promise<void> {
  await addEntry(
    db,
    uniqueid,
    of,
    `to_jsonb(c) || ${json({ ...STILL, id, kind: 'new', follows, booked_at: 'now' })} || jsonb_build_object(
      'customer', ${customerOf(of)}, 'charged', charged, 'calls', update_balance, 'invoice', invoice,
      'invoice_cost', invoice_cost, 'invoice_tax', invoice_tax, 'late', update_invoices = 1 and invoice is null,
      'invoice_calls', case when invoice is null then 0 else 1 end) || ${json(as)}`,
  );
}

/** Puts a late call, or its late entry, on the invoice 10 in its own currency, at the rates of the tests. */
export async function attachByHand(
  db: Entering,
  { id, uniqueid, late, follows }: { id: string; uniqueid: string; late: string; follows: string },
): Promise<void> {
  await addEntry(
    db,
    uniqueid,
    late,
    `to_jsonb(c) || ${json({ ...STILL, id, kind: 'attaching', follows, late_entry: late, invoice: 10, booked_at: 'now' })}
     || jsonb_build_object('customer', ${customerOf(late)}, 'invoice_cost', cost, 'invoice_tax', tax,
      'invoice_calls', sign(cost), 'invoice_currency', 'EUR', 'currency_rate', 1, 'invoice_rate', 1)`,
  );
}
