import { type Cdr, type CdrField, cdrFields } from '../domain/cdr.ts';
import type { Charge } from '../domain/charge.ts';
import type { Call } from '../domain/decide.ts';
import { canonical, plain } from '../domain/money.ts';
import type { Sql } from './sql.ts';

/** PostgreSQL types of the contract's parameters that are not text; times travel as Unix seconds. */
const TYPES: Partial<Record<CdrField, string>> = {
  start: 'float8',
  end: 'float8',
  scustomer: 'int',
  spresent: 'smallint',
  dcustomer: 'int',
  cost: 'numeric',
  currency: 'char(3)',
  ingroup_time: 'int',
  invoice: 'int',
  messages: 'int',
  outgroup_time: 'int',
  peer: 'int',
  talktime: 'int',
  time: 'int',
  totaltime: 'int',
  update_balance: 'smallint',
  update_invoices: 'smallint',
};

/** Columns beside the parameters: what was charged, on which terms, and for whom. */
const MORE: Readonly<Record<string, string>> = {
  invoice_named: 'boolean',
  tax: 'numeric',
  charged: 'numeric',
  invoice_cost: 'numeric',
  invoice_tax: 'numeric',
  system_rate: 'numeric',
  currency_rate: 'numeric',
  customer_currency: 'char(3)',
  customer_rate: 'numeric',
  invoice_currency: 'char(3)',
  invoice_rate: 'numeric',
  tax_terms: 'jsonb',
  fingerprint: 'text',
  submitted_by: 'text',
};

const columns: readonly [string, string][] = [
  ...cdrFields.map((name): [string, string] => [name, TYPES[name] ?? 'text']),
  ...Object.entries(MORE),
];

function asStored(name: string): string {
  if (name === 'start' || name === 'end') return `to_timestamp("${name}")`;
  return name === 'fingerprint' ? `decode("${name}", 'hex')` : `"${name}"`;
}

/** For json_to_recordset: the columns of a batch of calls and their types. */
export const callRecord = columns.map(([name, type]) => `"${name}" ${type}`).join(', ');
/** For `insert into cdrs (…) select …`. */
export const insertColumns = columns.map(([name]) => `"${name}"`).join(', ');
export const insertValues = columns.map(([name]) => asStored(name)).join(', ');

/** A call and its charge as `callRecord` takes it. */
export function callRow(call: Call, charge: Charge): Record<string, unknown> {
  const { terms } = charge;
  return {
    ...call.cdr,
    invoice: charge.invoice,
    peer: call.cdr.peer === 0 ? null : call.cdr.peer,
    invoice_named: call.cdr.invoice !== 0,
    tax: plain(charge.tax),
    charged: plain(charge.charged),
    invoice_cost: plain(charge.invoiceCost),
    invoice_tax: plain(charge.invoiceTax),
    system_rate: plain(terms.systemRate),
    currency_rate: plain(terms.currencyRate),
    customer_currency: terms.customerCurrency,
    customer_rate: plain(terms.customerRate),
    invoice_currency: terms.invoiceCurrency,
    invoice_rate: terms.invoiceRate && plain(terms.invoiceRate),
    tax_terms:
      terms.taxes.length === 0
        ? null
        : terms.taxes.map(({ id, rate, flat }) => ({ id, rate: plain(rate), flat: plain(flat) })),
    fingerprint: call.fingerprint,
    submitted_by: call.submittedBy,
  };
}

function asSubmitted(name: CdrField): string {
  if (name === 'start' || name === 'end') return `extract(epoch from "${name}")::bigint`;
  if (name === 'cost') return '"cost"::text';
  if (name === 'peer') return 'coalesce("peer", 0)';
  return name === 'invoice' ? 'case when invoice_named then "invoice" else 0 end' : `"${name}"`;
}

const STORED_CALLS = `
  select (select row_to_json(call) from (select ${cdrFields.map((name) => `${asSubmitted(name)} as "${name}"`).join(', ')}) as call)::text as call
  from cdrs where uniqueid = any(array(select json_array_elements_text($1::json)))`;

/** Stored calls by uniqueid as they were submitted, to be compared with others. */
export async function readCalls(sql: Sql, uniqueids: readonly string[]): Promise<Map<string, Cdr>> {
  const rows = await sql<{ call: string }>(STORED_CALLS, [JSON.stringify(uniqueids)]);
  const calls = rows.map(({ call }) => JSON.parse(call) as Cdr);
  return new Map(calls.map((call) => [call.uniqueid, { ...call, cost: canonical(call.cost) }]));
}
