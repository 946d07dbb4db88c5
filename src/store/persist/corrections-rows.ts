import type { ChargedTax, Terms } from '../../domain/charge.ts';
import type { Entry, EntryKind, Moved } from '../../domain/entry.ts';
import { amount, plain } from '../../domain/money.ts';
import type { CallOnBooks } from '../../domain/standing.ts';
import { taxTerms } from './columns.ts';

/** The columns of a call's and an entry's amounts and terms, as JSON has them: decimals as text. */
const MOVED = `charged::text, cost::text, currency, tax::text, taxes, update_balance, update_invoices, invoice,
  invoice_cost::text, invoice_tax::text, system_rate::text, currency_rate::text, customer_currency, customer_rate::text,
  invoice_currency, invoice_rate::text, tax_terms, messages, "time"`;

/** SQL: what corrections read of a stored call. */
export const CALL_COLUMNS = `uniqueid, machine, extract(epoch from start)::float8 as start, scustomer as customer, ${MOVED}`;

/** SQL: an entry, as it is read. */
export const ENTRY_COLUMNS = `id, kind, uniqueid, follows, late_entry, customer, calls, invoice_calls, late,
  encode(fingerprint, 'hex') as fingerprint, booked_by, why, ${MOVED}`;

/** The JSON of `MOVED`. */
interface MovedRow {
  customer: number;
  charged: string;
  cost: string;
  currency: string;
  tax: string;
  taxes: string;
  update_balance: number;
  update_invoices: number;
  invoice: number | null;
  invoice_cost: string;
  invoice_tax: string;
  system_rate: string;
  currency_rate: string;
  customer_currency: string;
  customer_rate: string;
  invoice_currency: string | null;
  invoice_rate: string | null;
  tax_terms: TaxTermRow[] | null;
  messages: number;
  time: number;
}

interface TaxTermRow {
  id: number;
  rate: string;
  flat: string;
  currency?: string;
  currency_rate?: string;
}

export interface CallRow extends MovedRow {
  uniqueid: string;
  machine: string;
  start: number;
}

export interface EntryRow extends MovedRow {
  id: string;
  kind: EntryKind;
  uniqueid: string;
  follows: string;
  late_entry: string | null;
  calls: number;
  invoice_calls: number;
  late: boolean;
  fingerprint: string | null;
  booked_by: string;
  why: string | null;
}

export function callOf(row: CallRow): CallOnBooks {
  const { uniqueid, machine, start, messages, time } = row;
  return { ...movedOf(row), uniqueid, machine, start, messages, time };
}

export function entryOf(row: EntryRow): Entry {
  const { id, kind, uniqueid, follows, calls, late, fingerprint, why, messages, time } = row;
  return {
    ...movedOf(row),
    ...{ id, kind, uniqueid, follows, calls, late, fingerprint, why, messages, time },
    lateEntry: row.late_entry,
    invoiceCalls: row.invoice_calls,
    bookedBy: row.booked_by,
  };
}

function movedOf(row: MovedRow): Moved {
  return {
    customer: row.customer,
    charged: amount(row.charged),
    cost: amount(row.cost),
    currency: row.currency.trimEnd(),
    tax: amount(row.tax),
    taxes: row.taxes,
    updateBalance: row.update_balance,
    updateInvoices: row.update_invoices,
    invoice: row.invoice,
    invoiceCost: amount(row.invoice_cost),
    invoiceTax: amount(row.invoice_tax),
    terms: termsOfRow(row),
  };
}

function termsOfRow(row: MovedRow): Terms {
  return {
    systemRate: amount(row.system_rate),
    currencyRate: amount(row.currency_rate),
    customerCurrency: row.customer_currency.trimEnd(),
    customerRate: amount(row.customer_rate),
    invoiceCurrency: row.invoice_currency?.trimEnd() ?? null,
    invoiceRate: row.invoice_rate === null ? null : amount(row.invoice_rate),
    taxes: (row.tax_terms ?? []).map(taxOf),
  };
}

function taxOf({ id, rate, flat, currency, currency_rate }: TaxTermRow): ChargedTax {
  return {
    id,
    rate: amount(rate),
    flat: amount(flat),
    currency: currency ?? null,
    currencyRate: currency_rate === undefined ? null : amount(currency_rate),
  };
}

/** The columns of an entry that is written, with their types. */
const WRITTEN = {
  id: 'text',
  kind: 'text',
  uniqueid: 'text',
  follows: 'text',
  late_entry: 'text',
  customer: 'int',
  charged: 'numeric',
  calls: 'smallint',
  invoice: 'int',
  invoice_cost: 'numeric',
  invoice_tax: 'numeric',
  invoice_calls: 'smallint',
  late: 'boolean',
  cost: 'numeric',
  currency: 'char(3)',
  tax: 'numeric',
  taxes: 'text',
  messages: 'int',
  time: 'int',
  update_balance: 'smallint',
  update_invoices: 'smallint',
  system_rate: 'numeric',
  currency_rate: 'numeric',
  customer_currency: 'char(3)',
  customer_rate: 'numeric',
  invoice_currency: 'char(3)',
  invoice_rate: 'numeric',
  tax_terms: 'jsonb',
  fingerprint: 'bytea',
  booked_by: 'text',
  why: 'text',
} as const;

/** For `insert into corrections (…)`, and to be selected from `entriesIn`. */
export const writtenColumns = Object.keys(WRITTEN)
  .map((name) => `"${name}"`)
  .join(', ');

/** `select …`: the entries in a JSON list, `place` from 1. */
export const entriesIn = (json: string) => `
  select entry.* from json_to_recordset(${json}::json)
    as entry(place int, ${Object.entries(WRITTEN)
      .map(([name, type]) => `"${name}" ${type}`)
      .join(', ')})`;

/** Entries as they are sent to the database. */
export function entriesAsJson(entries: readonly Entry[]): string {
  return JSON.stringify(entries.map((entry, index) => ({ place: index + 1, ...rowOf(entry) })));
}

function rowOf(entry: Entry): Record<keyof typeof WRITTEN, unknown> {
  const { terms, fingerprint } = entry;
  const taxes = taxTerms(terms.taxes);
  return {
    id: entry.id,
    kind: entry.kind,
    uniqueid: entry.uniqueid,
    follows: entry.follows,
    late_entry: entry.lateEntry,
    customer: entry.customer,
    charged: plain(entry.charged),
    calls: entry.calls,
    invoice: entry.invoice,
    invoice_cost: plain(entry.invoiceCost),
    invoice_tax: plain(entry.invoiceTax),
    invoice_calls: entry.invoiceCalls,
    late: entry.late,
    cost: plain(entry.cost),
    currency: entry.currency,
    tax: plain(entry.tax),
    taxes: entry.taxes,
    messages: entry.messages,
    time: entry.time,
    update_balance: entry.updateBalance,
    update_invoices: entry.updateInvoices,
    system_rate: plain(terms.systemRate),
    currency_rate: plain(terms.currencyRate),
    customer_currency: terms.customerCurrency,
    customer_rate: plain(terms.customerRate),
    invoice_currency: terms.invoiceCurrency,
    invoice_rate: terms.invoiceRate === null ? null : plain(terms.invoiceRate),
    tax_terms: taxes === null ? null : JSON.parse(taxes),
    fingerprint: fingerprint === null ? null : `\\x${fingerprint}`,
    booked_by: entry.bookedBy,
    why: entry.why,
  };
}
