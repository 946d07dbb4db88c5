import { type Sql, statement } from '../sql.ts';

/** What an export tells of a dead letter beyond its own columns. */
export interface ExportDetail {
  id: number;
  /** Of the customer who is charged: of the stored call, if there is one. */
  customer_name: string | null;
  routing_key: string | null;
  /** The database's own words about a call that it refused. */
  error: string | null;
  /** What an operator wrote in place of the body. */
  mended_body: string | null;
  /** The call as it is stored, of a resolved dead letter; null for others, and once the call is pruned. */
  stored: StoredAmounts | null;
}

/** Times are Unix seconds, amounts decimal text. */
export interface StoredAmounts {
  uniqueid: string;
  callid: string;
  start: number;
  end: number;
  snumber: string;
  cnumber: string;
  dnumber: string;
  scustomer: number;
  machine: string;
  cost: string;
  currency: string;
  tax: string;
  charged: string;
  customer_currency: string;
  invoice: number | null;
  submitted_by: string;
}

const DETAILS = statement(
  'dead-letters.export-details',
  `select d.id::float8 as id, c.name as customer_name, d.properties ->> 'routingKey' as routing_key, d.error, d.mended_body,
     case when s.uniqueid is not null then jsonb_build_object('uniqueid', s.uniqueid, 'callid', s.callid,
       'start', extract(epoch from s.start)::bigint, 'end', extract(epoch from s."end")::bigint,
       'snumber', s.snumber, 'cnumber', s.cnumber, 'dnumber', s.dnumber, 'scustomer', s.scustomer,
       'machine', s.machine, 'cost', trim_scale(s.cost)::text, 'currency', s.currency,
       'tax', trim_scale(s.tax)::text, 'charged', trim_scale(s.charged)::text,
       'customer_currency', s.customer_currency, 'invoice', s.invoice, 'submitted_by', s.submitted_by) end as stored
   from unnest($1::bigint[]) as wanted(id) join dead_letters d using (id)
   left join cdrs s on d.status = 'resolved' and s.uniqueid = coalesce(d.edits ->> 'uniqueid', d.uniqueid)
   left join customers c on c.id = coalesce(s.scustomer, d.scustomer)`,
);

/** By id. */
export async function readExportDetails(
  sql: Sql,
  ids: readonly number[],
): Promise<Map<number, ExportDetail>> {
  const rows = await sql<ExportDetail>(DETAILS, [ids]);
  return new Map(rows.map((row) => [row.id, row]));
}
