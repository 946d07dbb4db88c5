import type { Client } from 'pg';

/** Rows that one statement adds. */
const CHUNK = 250_000;
const FIRST_START = 1_760_000_000;
const YEAR = 31_536_000;
const MONTH = YEAR / 12;
const CUSTOMERS = 10_000;
/** Invoice of a customer's month: this and month × CUSTOMERS + customer. */
const INVOICES = 1_000_000;

export interface ManyCalls {
  calls: number;
  /** Corrections of stored calls, each a reversing and a new entry. Without it nothing is summed up for `reconcile` either. */
  updates?: number;
  progress: (line: string) => void;
}

/** A number from 0 to 1 that is the same for the same call and salt. */
const part = (salt: number) => `((hashint8extended(i, ${salt}) & 1048575) / 1048576.0::float8)`;

/** Of the call `i`; the busiest of the customers makes a twentieth of all calls. */
export const customerOf = `(1 + floor(${CUSTOMERS} * power(${part(1)}, 3)))::int`;

/** In the order of arrival, but for seconds of each and days of one in a hundred. `calls` of them take a year. */
const startOf = (
  calls: number,
) => `(${FIRST_START} + (i * ${YEAR / calls}::float8)::bigint + (${part(2)} * 60)::int
  - case when ${part(3)} < 0.01 then (${part(4)} * 259200)::int else 0 end)`;

/** SQL of the calls `i` of `source`, by the columns of `cdrs`. */
export function callsSql(calls: number, source: string): string {
  return `
    select i || '.' || start as uniqueid, 'switch-' || i % 8 as machine, to_timestamp(start) as start,
      to_timestamp(start + talk) as "end", customer as scustomer, 'sip' as stype, own as snumber, 0 as spresent,
      'Customer ' || customer as sname, 'sip' as ctype, own as cnumber, customer as dcustomer, 'pstn' as dtype,
      '44' || lpad(floor(500000 * power(${part(5)}, 2))::int::text, 10, '2') as dnumber,
      case when ${part(6)} < 0.3 then 'leg-' || i / 2 else i || '.' || start end as callid,
      'SIP/trunk-' || i % 30 || '-' || lpad(to_hex(i), 8, '0') as channel, cost, 'USD' as currency, 0 as ingroup_time,
      ${INVOICES} + month * ${CUSTOMERS} + customer as invoice, false as invoice_named, 'audio' as media, 0 as messages,
      '' as note, 0 as outgroup_time, null::int as peer, '' as recording, 'ANSWERED' as status, talk as talktime,
      case when taxed then '1' else '' end as taxes, 0 as time, talk + 5 as totaltime, 1 as update_balance,
      1 as update_invoices, tax, cost + tax as charged, cost as invoice_cost, tax as invoice_tax, 1 as system_rate,
      1 as currency_rate, 'USD' as customer_currency, 1 as customer_rate, 'USD' as invoice_currency, 1 as invoice_rate,
      case when taxed then '[{"id": 1, "rate": "20", "flat": "0"}]'::jsonb end as tax_terms,
      sha256(i::text::bytea) as fingerprint, 'switch' as submitted_by,
      to_timestamp(${FIRST_START} + (i * ${YEAR / calls}::float8)::bigint + talk + 60) as received_at
    from (
      select *, cost / 5 * taxed::int as tax, least(11, (start - ${FIRST_START}) / ${MONTH}) as month
      from (
        select i, ${startOf(calls)} as start, ${customerOf} as customer, (${part(7)} * 600)::int as talk,
          '4930' || lpad(((${customerOf}) * 20 + i % 20)::text, 8, '0') as own, ${part(8)} < 0.5 as taxed,
          (${part(9)} * ${part(9)} * 20000)::int * case when ${part(10)} < 0.0005 then 0.01 else 0.0001 end as cost
        from ${source}
      ) as call
    ) as priced`;
}

/** The columns of `callsSql`. */
export const callColumns = `uniqueid, machine, start, "end", scustomer, stype, snumber, spresent, sname, ctype, cnumber,
  dcustomer, dtype, dnumber, callid, channel, cost, currency, ingroup_time, invoice, invoice_named, media, messages, note,
  outgroup_time, peer, recording, status, talktime, taxes, time, totaltime, update_balance, update_invoices, tax, charged,
  invoice_cost, invoice_tax, system_rate, currency_rate, customer_currency, customer_rate, invoice_currency, invoice_rate,
  tax_terms, fingerprint, submitted_by, received_at`;

/**
 * Fills an empty, migrated database with a year of calls of ${CUSTOMERS} customers, an invoice for each month of each, and
 * corrections; balances and invoices are their sums, so that `reconcile` finds nothing.
 */
export async function makeManyCalls(client: Client, { calls, updates, progress }: ManyCalls): Promise<void> {
  await client.query(`insert into currencies (code, rate) values ('USD', 1)`);
  await client.query(`insert into taxes (id, name, rate) values (1, 'VAT', 20)`);
  await client.query(`insert into customers (id, name, currency)
    select i, 'Customer ' || i, 'USD' from generate_series(1, ${CUSTOMERS}) as i`);
  await client.query(`insert into invoices (id, customer, currency, period_start, period_end, status)
    select ${INVOICES} + month * ${CUSTOMERS} + customer, customer, 'USD', to_timestamp(${FIRST_START} + month * ${MONTH}),
      to_timestamp(${FIRST_START} + (month + 1) * ${MONTH}), case when month = 11 then 'open' else 'closed' end
    from generate_series(0, 11) as month, generate_series(1, ${CUSTOMERS}) as customer`);
  for (let from = 0; from < calls; from += CHUNK) {
    progress(`filling: ${from} of ${calls} calls`);
    const source = `generate_series(${from}::bigint, ${Math.min(from + CHUNK, calls) - 1}) as i`;
    await client.query(`insert into cdrs (${callColumns}) ${callsSql(calls, source)}`);
  }
  if (updates) await correct(client, updates, progress);
  if (updates !== undefined) await sumUp(client, progress);
  progress('vacuum');
  await client.query('vacuum analyze');
  await client.query('checkpoint');
}

/** Doubles the cost of calls spread over the year. */
async function correct(client: Client, updates: number, progress: (line: string) => void): Promise<void> {
  progress(`filling: ${updates} corrections`);
  const amounts = (factor: string) =>
    `${factor} * d.charged, ${factor} * d.invoice_cost, ${factor} * d.invoice_tax`;
  const kept = `d.scustomer, d.invoice, false, d.currency, d.taxes, d.messages, d.time, 1, 1, d.system_rate, d.currency_rate,
    d.customer_currency, d.customer_rate, d.invoice_currency, d.invoice_rate, d.tax_terms, 'commerce'`;
  await client.query(`
    insert into corrections (id, kind, uniqueid, follows, charged, invoice_cost, invoice_tax, calls, invoice_calls, cost, tax,
      customer, invoice, late, currency, taxes, messages, time, update_balance, update_invoices, system_rate, currency_rate,
      customer_currency, customer_rate, invoice_currency, invoice_rate, tax_terms, booked_by)
    select 'c-' || d.uniqueid || entry.suffix, entry.kind, d.uniqueid,
      case entry.kind when 'new' then 'c-' || d.uniqueid || '#reversal' else '' end, ${amounts('entry.factor')},
      sign(entry.factor), sign(entry.factor), entry.factor * d.cost, entry.factor * d.tax, ${kept}
    from (select * from cdrs tablesample system (20) limit ${updates}) as d,
      (values ('reversing', '#reversal', -1), ('new', '', 2)) as entry(kind, suffix, factor)`);
}

async function sumUp(client: Client, progress: (line: string) => void): Promise<void> {
  progress('summing up');
  await client.query(`
    update customers c set charged = s.charged, calls = s.calls, balance = -s.charged
    from (select id, sum(charged) as charged, sum(calls) as calls from (
        select scustomer as id, sum(charged) as charged, count(*) as calls from cdrs group by 1
        union all select customer, sum(charged), sum(calls) from corrections group by 1) as part group by id) as s
    where c.id = s.id`);
  await client.query(`
    update invoices i set cost = s.cost, tax = s.tax, total = s.cost + s.tax, calls = s.calls
    from (select id, sum(cost) as cost, sum(tax) as tax, sum(calls) as calls from (
        select invoice as id, sum(invoice_cost) as cost, sum(invoice_tax) as tax, count(*) as calls from cdrs group by 1
        union all select invoice, sum(invoice_cost), sum(invoice_tax), sum(invoice_calls) from corrections group by 1)
      as part group by id) as s
    where i.id = s.id`);
}
