import { convertSql, sumSql, taxSql } from '../domain/money.ts';

/** A claim about rows: each of the columns `x` must equal the `x_due` beside it. */
export interface Claim {
  name: 'customers' | 'invoices' | 'cdrs' | 'past-calls' | 'corrections' | 'amounts';
  claim: string;
  rows: string;
  /** The column that identifies a row. */
  key: string;
  columns: readonly string[];
}

/**
 * SQL of the amounts that follow from the terms recorded in a row of `cdrs` or `corrections`. The cost and the tax are converted and
 * rounded each by itself, as `amounts` in domain/charge.ts does.
 *
 * @param row its name in the statement
 */
export function amountsDue(row: string) {
  const of = (column: string) => `${row}.${column}`;
  const converted = (amount: 'cost' | 'tax', rate: string) =>
    convertSql(of(amount), of('currency_rate'), of(rate));
  // A tax without a currency of its own is in the system currency: every tax was, before taxes had one.
  const rateOfFlat = `case when term.currency is null then ${of('system_rate')} else term.currency_rate end`;
  const tax = taxSql(of('cost'), 'term.rate', 'term.flat', of('currency_rate'), `(${rateOfFlat})`);
  const invoiced = (amount: 'cost' | 'tax') =>
    sumSql(
      `case when ${isOnInvoice(row)} then ${convertSql(of(amount), of('currency_rate'), of('invoice_rate'))} else 0 end`,
    );
  return {
    tax: sumSql(`coalesce((
      select sum(${tax})
      from jsonb_to_recordset(${of('tax_terms')})
        as term(rate numeric, flat numeric, currency text, currency_rate numeric)), 0)`),
    charged: sumSql(`case when ${of('update_balance')} = 1
      then ${converted('cost', 'customer_rate')} + ${converted('tax', 'customer_rate')} else 0 end`),
    invoiceCost: invoiced('cost'),
    invoiceTax: invoiced('tax'),
  };
}

/** SQL: whether a call, or the call as it stands after an entry, is on the invoice that its row names. */
export function isOnInvoice(row: string): string {
  return `${row}.update_invoices = 1 and ${row}.invoice is not null`;
}
