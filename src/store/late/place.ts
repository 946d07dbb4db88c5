import { AMOUNT_INTEGER_DIGITS, convertSql } from '../../domain/money.ts';
import { openInvoicesOf } from '../open-invoices.ts';

/** Why something late cannot be put on an invoice. */
export const leftOutReasons = [
  'no open invoice',
  'a currency without a rate',
  'an amount too large',
] as const;
export type LeftOutReason = (typeof leftOutReasons)[number];

/** The parameters of `placed`. */
export interface Placing {
  customer: number | null;
  /** Null is the open invoice of each thing's customer: one whose period covers the call's start, else the earliest. */
  invoice: number | null;
  openStatuses: readonly string[];
  systemCurrency: string;
}

/** The values of $1 to $4. */
export function placingValues({ customer, invoice, openStatuses, systemCurrency }: Placing): unknown[] {
  return [customer, invoice, openStatuses, systemCurrency];
}

/** SQL: rates of today by currency; the system currency has one of 1 where it has no row. */
export const RATES = `
  select code, rate from currencies
  union all
  select $4::char(3), 1 where not exists (select from currencies where code = $4::char(3))`;

const MAX = `1e${AMOUNT_INTEGER_DIGITS}`;
const [NO_INVOICE, NO_RATE, TOO_LARGE] = leftOutReasons;

/**
 * SQL: late things, each with its invoice and the amounts that it moves there on today's rates (the common table expression
 * `rate`), or why it is left out.
 *
 * @param late the common table expression of the things
 */
export const placed = (late: string) => `
  select late.*, invoice.id as invoice, invoice.currency as invoice_currency, own.rate as currency_rate,
    its.rate as invoice_rate, due.cost as invoice_cost, due.tax as invoice_tax,
    case when invoice.id is null then '${NO_INVOICE}' when own.rate is null or its.rate is null then '${NO_RATE}'
      when abs(due.cost) >= ${MAX} or abs(due.tax) >= ${MAX} then '${TOO_LARGE}' end as left_out
  from ${late} as late
  left join lateral (
    select open.* from ${openInvoicesOf('late.customer', '$3', 'true')}
    where $2::int is null or open.id = $2
    order by open.period_start <= late.start and late.start < open.period_end desc, open.period_start, open.id
    limit 1) as invoice on true
  left join rate own on own.code = late.currency
  left join rate its on its.code = invoice.currency
  left join lateral (
    select ${convertSql('late.cost', 'own.rate', 'its.rate')} as cost,
      ${convertSql('late.tax', 'own.rate', 'its.rate')} as tax) as due on true`;
