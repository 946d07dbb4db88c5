import { type Sql, statement } from '../sql.ts';
import { type LeftOutReason, type Placing, placed, placingValues, RATES } from './place.ts';
import { LATE_THINGS } from './things.ts';

/** What would be put on one invoice, in its currency. */
export interface PlannedShare {
  customer: number;
  invoice: number;
  currency: string;
  calls: number;
  corrections: number;
  cost: string;
  tax: string;
}

/** What would be left out, of one customer, in its own currency. */
export interface LeftOut {
  customer: number;
  why: LeftOutReason;
  currency: string;
  count: number;
  cost: string;
  tax: string;
}

export interface AttachPlan {
  shares: PlannedShare[];
  leftOut: LeftOut[];
}

interface PlanRow {
  customer: number;
  invoice: number | null;
  why: LeftOutReason | null;
  currency: string;
  calls: number;
  corrections: number;
  cost: string;
  tax: string;
}

const planOf = (whose: string) => `
  with rate as materialized (${RATES}),
  late as (select * from (${LATE_THINGS}) as thing where ${whose})
  select customer, case when left_out is null then invoice end as invoice, left_out as why,
    case when left_out is null then invoice_currency else currency end::text as currency,
    count(*) filter (where late_entry = '')::int as calls, count(*) filter (where late_entry <> '')::int as corrections,
    trim_scale(sum(case when left_out is null then invoice_cost else cost end))::text as cost,
    trim_scale(sum(case when left_out is null then invoice_tax else tax end))::text as tax
  from (${placed('late')}) as placed
  group by 1, 2, 3, 4 order by 1, 2, 3, 4`;

const OF_ONE = statement('late.plan', planOf('customer = $1::int'));
const OF_ALL = statement('late.plan-all', planOf('$1::int is null'));

/** What attaching would move, on today's rates. Throws what the database throws. */
export async function planAttaching(sql: Sql, placing: Placing): Promise<AttachPlan> {
  const rows = await sql<PlanRow>(placing.customer === null ? OF_ALL : OF_ONE, placingValues(placing));
  return {
    shares: rows.flatMap(({ why: _, invoice, ...row }) => (invoice === null ? [] : [{ ...row, invoice }])),
    leftOut: rows.flatMap(({ customer, why, currency, calls, corrections, cost, tax }) =>
      why === null ? [] : [{ customer, why, currency, count: calls + corrections, cost, tax }],
    ),
  };
}

/** An invoice, as far as attaching to it is about it. */
export interface AttachableInvoice {
  customer: number;
  isOpen: boolean;
}

const INVOICE = statement(
  'late.invoice',
  `select customer, status = any($2::text[]) as "isOpen" from invoices where id = $1::int`,
);

/** Undefined if there is no such invoice. */
export async function readInvoice(
  sql: Sql,
  id: number,
  openStatuses: readonly string[],
): Promise<AttachableInvoice | undefined> {
  const [invoice] = await sql<AttachableInvoice>(INVOICE, [id, openStatuses]);
  return invoice;
}
