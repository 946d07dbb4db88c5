import type { Cdr } from '../../src/domain/cdr.ts';
import { callsInLines } from '../../src/store/persist/columns.ts';
import type { ModelTax } from '../domain/exact-model.ts';

/** A row of `cdrs`, as the worker writes it. */
export interface StoredCall extends Omit<Cdr, 'invoice' | 'peer'> {
  invoice: number | null;
  peer: number | null;
  invoice_named: boolean;
  invoice_late: boolean;
  tax: string;
  charged: string;
  invoice_cost: string;
  invoice_tax: string;
  system_rate: string;
  currency_rate: string;
  customer_currency: string;
  customer_rate: string;
  invoice_currency: string | null;
  invoice_rate: string | null;
  tax_terms: ModelTax[] | null;
  fingerprint: string;
}

/** How each type of the statement reads its text; the others keep it. */
const READERS: Record<string, (text: string) => unknown> = {
  float8: Number,
  int: Number,
  smallint: Number,
  bigint: Number,
  boolean: (text) => text === 'true',
  jsonb: (text) => JSON.parse(text) as unknown,
};

/** Name, type and nullability of each value of a line, in order, as the real statement has them. */
const columns = [
  ...callsInLines.matchAll(/(nullif\()?value\[\d+\](?:, ''\))?::([a-z0-9]+)\S*(?: 'hex'\))? as "(\w+)"/g),
].map(([, nullable, type = '', name = '']) => ({ name, isNullable: nullable !== undefined, type }));

/** The calls that the worker sends to be written. */
export function callsIn(lines: string): StoredCall[] {
  if (lines === '') return [];
  return lines.split('\n').map((line) => {
    const values = line.split('\t');
    if (values.length !== columns.length) throw new Error(`a line of ${values.length} values`);
    const entries = columns.map(({ name, isNullable, type }, index) => {
      const text = values[index] ?? '';
      return [name, isNullable && text === '' ? null : (READERS[type]?.(text) ?? text)];
    });
    return Object.fromEntries(entries) as StoredCall;
  });
}

/** What the statement that reads bills says of a stored call. */
export function storedBill(row: StoredCall) {
  return {
    uniqueid: row.uniqueid,
    entry: null,
    customer: row.scustomer,
    charged: row.charged,
    currency: row.customer_currency,
    cost: row.cost,
    tax: row.tax,
    callCurrency: row.currency,
    invoice: row.invoice,
    invoiceCost: row.invoice_cost,
    invoiceTax: row.invoice_tax,
    invoiceCurrency: row.invoice_currency,
    terms: {
      systemRate: row.system_rate,
      currencyRate: row.currency_rate,
      customerRate: row.customer_rate,
      invoiceRate: row.invoice_rate,
      taxes: row.tax_terms ?? [],
    },
  };
}
