import { type Sql, statement } from '../sql.ts';

/** What a dry run comes to. Amounts are exact. */
export interface DryRunSums {
  /** How many would become what, most frequent first. */
  outcomes: { becomes: string; count: number }[];
  /** How many would not be stored. */
  staying_dead: number;
  /** What would be charged for calls of verified senders. */
  customers: {
    customer: number;
    customer_name: string | null;
    currency: string;
    calls: number;
    charged: string;
  }[];
  /** The same of those that only claim to be their senders', by currency. */
  unverified: { currency: string; calls: number; charged: string }[];
  /** What invoices would gain, taxes included. */
  invoices: { invoice: number; currency: string; calls: number; billed: string }[];
  /** Calls that ask for an invoice and would be on none, with their costs and taxes. */
  uninvoiced: { currency: string; calls: number; billed: string }[];
  /** Letters that were left out, by the reason. */
  skipped: { why: string; count: number }[];
}

const SUMS = statement(
  'replays.sums',
  `
with letter as materialized (
  select l.becomes, l.code, l.skipped, l.charged, l.currency, l.customer, l.invoice, l.uninvoiced, l.billed,
    l.billed_currency, coalesce(d.verified, true) as verified
  from replay_letters l left join dead_letters d on d.id = l.dead_letter where l.replay = $1::bigint),
outcome as (select becomes, count(*)::int as count from letter where becomes is not null group by 1),
customer as (
  select customer, currency, count(*)::int as calls, trim_scale(sum(charged))::text as charged
  from letter where verified and charged is not null group by 1, 2),
unverified as (
  select currency, count(*)::int as calls, trim_scale(sum(charged))::text as charged
  from letter where not verified and charged is not null group by 1),
invoice as (
  select invoice, billed_currency as currency, count(*)::int as calls, trim_scale(sum(billed))::text as billed
  from letter where invoice is not null and billed is not null group by 1, 2),
uninvoiced as (
  select billed_currency as currency, count(*)::int as calls, trim_scale(sum(billed))::text as billed
  from letter where uninvoiced group by 1),
skipped as (select skipped as why, count(*)::int as count from letter where skipped is not null group by 1)
select
  (select coalesce(jsonb_agg(to_jsonb(o) order by o.count desc, o.becomes), '[]') from outcome o) as outcomes,
  (select count(*)::int from letter where code <> '204') as staying_dead,
  (select coalesce(jsonb_agg(jsonb_build_object('customer', s.customer, 'customer_name', c.name, 'currency', s.currency,
    'calls', s.calls, 'charged', s.charged) order by s.customer, s.currency), '[]')
    from customer s left join customers c on c.id = s.customer) as customers,
  (select coalesce(jsonb_agg(to_jsonb(u) order by u.currency), '[]') from unverified u) as unverified,
  (select coalesce(jsonb_agg(to_jsonb(i) order by i.invoice), '[]') from invoice i) as invoices,
  (select coalesce(jsonb_agg(to_jsonb(u) order by u.currency), '[]') from uninvoiced u) as uninvoiced,
  (select coalesce(jsonb_agg(to_jsonb(s) order by s.count desc, s.why), '[]') from skipped s) as skipped`,
);

export async function readDryRunSums(sql: Sql, id: string): Promise<DryRunSums> {
  const [sums] = await sql<DryRunSums>(SUMS, [id]);
  if (sums === undefined) throw new Error('sums without a row');
  return sums;
}
