import type { EntryKind } from '../../domain/entry.ts';
import { inLine } from '../../domain/standing.ts';
import { type Sql, statement } from '../sql.ts';

/** A tax as it was charged: its amount follows from these terms. */
export interface TaxTerm {
  id: number;
  /** Null for a tax that is gone. */
  name: string | null;
  rate: string;
  flat: string;
  /** Of `flat`; null is the system currency. */
  currency: string | null;
  currency_rate: string | null;
}

/** Rates in units of a currency per unit of the system currency. */
export interface Terms {
  system_rate: string;
  currency_rate: string;
  customer_rate: string;
  invoice_rate: string | null;
  tax_terms: TaxTerm[];
}

/** An entry of `corrections`, by column. */
export interface Entry extends Terms {
  id: string;
  kind: EntryKind;
  follows: string;
  late_entry: string | null;
  customer: number;
  customer_name: string | null;
  charged: string;
  calls: number;
  invoice: number | null;
  invoice_cost: string;
  invoice_tax: string;
  invoice_calls: number;
  late: boolean;
  cost: string;
  currency: string;
  tax: string;
  taxes: string;
  messages: number;
  time: number;
  update_balance: number;
  update_invoices: number;
  customer_currency: string;
  invoice_currency: string | null;
  booked_by: string;
  why: string | null;
  booked_at: Date;
}

/** The recorded terms, with the name that each tax has now; `s` is the row. */
export const termColumns = `trim_scale(s.system_rate)::text as system_rate,
  trim_scale(s.currency_rate)::text as currency_rate, trim_scale(s.customer_rate)::text as customer_rate,
  trim_scale(s.invoice_rate)::text as invoice_rate,
  coalesce((select jsonb_agg(jsonb_build_object('id', t.id, 'name', x.name, 'rate', t.rate, 'flat', t.flat,
      'currency', t.currency, 'currency_rate', t.currency_rate) order by t.place)
    from rows from (jsonb_to_recordset(s.tax_terms) as (id int, rate text, flat text, currency text, currency_rate text))
      with ordinality as t(id, rate, flat, currency, currency_rate, place)
    left join taxes x on x.id = t.id), '[]') as tax_terms`;

const ENTRIES = statement(
  'calls.entries',
  `select s.uniqueid, s.id, s.kind, s.follows, s.late_entry, s.customer, c.name as customer_name,
     trim_scale(s.charged)::text as charged, s.calls, s.invoice, trim_scale(s.invoice_cost)::text as invoice_cost,
     trim_scale(s.invoice_tax)::text as invoice_tax, s.invoice_calls, s.late, trim_scale(s.cost)::text as cost, s.currency,
     trim_scale(s.tax)::text as tax, s.taxes, s.messages, s.time, s.update_balance, s.update_invoices, s.customer_currency,
     s.invoice_currency, s.booked_by, s.why, s.booked_at, ${termColumns}
   from corrections s left join customers c on c.id = s.customer where s.uniqueid = any($1::text[])`,
);

/** The corrections of calls by uniqueid, each in the order in which they follow each other. */
export async function readEntries(sql: Sql, uniqueids: readonly string[]): Promise<Map<string, Entry[]>> {
  const rows = await sql<Entry & { uniqueid: string }>(ENTRIES, [uniqueids]);
  const found = new Map<string, Entry[]>();
  for (const { uniqueid, ...entry } of rows) found.set(uniqueid, [...(found.get(uniqueid) ?? []), entry]);
  return new Map([...found].map(([uniqueid, entries]) => [uniqueid, inLine(entries)]));
}
