import { isOpen } from './open-invoices.ts';
import { type Sql, statement } from './sql.ts';

/** The calls in a span of the table that are old enough to be pruned. */
export interface Pruned {
  calls: number;
  /** Old enough, but on an invoice that is still open. */
  kept: number;
}

/**
 * One atomic statement: deletes the calls received before $1 in the pages from $2 up to $3. Their uniqueids and fingerprints are
 * kept, and their sums are added to those of the calls pruned before. A call on an open invoice ($4) is kept until that is
 * closed: the bill is not written yet.
 *
 * The pages are read by number (a TID range scan), so that no index on the time is needed, which every call would pay
 * for. Ingestion waits for nothing here: the deleted rows are far older than any batch under way, and the sums have rows
 * of their own, so that no customer and no invoice is locked.
 */
const PRUNE = statement(
  'prune.calls',
  `
with old as materialized (
  select c.uniqueid, exists (select from invoices i where i.id = c.invoice and ${isOpen('i.status', '$4')}) as open
  from cdrs c
  where c.ctid >= format('(%s,0)', $2::bigint)::tid and c.ctid < format('(%s,0)', $3::bigint)::tid
    and c.received_at < $1::timestamptz),
gone as (
  delete from cdrs c using old where c.uniqueid = old.uniqueid and not old.open
  returning c.uniqueid, c.fingerprint, c.scustomer, c.charged, c.update_balance, c.invoice, c.invoice_cost,
    c.invoice_tax, c.update_invoices, c.currency, c.cost, c.tax),
kept as (insert into past_calls (uniqueid, fingerprint) select uniqueid, fingerprint from gone order by uniqueid),
part as (
  select 'customer' as of, scustomer::text as key, count(*) as calls, sum(charged) as charged, 0 as cost, 0 as tax
  from gone where update_balance = 1 group by scustomer
  union all
  select 'invoice', invoice::text, count(*), 0, sum(invoice_cost), sum(invoice_tax)
  from gone where update_invoices = 1 and invoice is not null group by invoice
  union all
  select 'uninvoiced', currency::text, count(*), 0, sum(cost), sum(tax)
  from gone where update_invoices = 1 and invoice is null group by currency),
summed as (
  insert into past_sums as s (of, key, calls, charged, cost, tax)
  select of, key, calls, charged, cost, tax from part order by of, key
  on conflict (of, key) do update set calls = s.calls + excluded.calls, charged = s.charged + excluded.charged,
    cost = s.cost + excluded.cost, tax = s.tax + excluded.tax)
select (select count(*)::int from gone) as calls, (select count(*)::int from old where open) as kept`,
);

const COUNT = statement(
  'prune.count',
  `
select count(*) filter (where not open)::int as calls, count(*) filter (where open)::int as kept from (
  select exists (select from invoices i where i.id = c.invoice and ${isOpen('i.status', '$4')}) as open
  from cdrs c
  where c.ctid >= format('(%s,0)', $2::bigint)::tid and c.ctid < format('(%s,0)', $3::bigint)::tid
    and c.received_at < $1::timestamptz) as old`,
);

const PAGES = statement(
  'prune.pages',
  `select (pg_relation_size('cdrs') / current_setting('block_size')::int)::int as pages`,
);

/** The present size of the table of calls in pages. Throws what the database throws. */
export async function pagesOfCalls(sql: Sql): Promise<number> {
  const [row] = await sql<{ pages: number }>(PAGES, []);
  return row?.pages ?? 0;
}

const CUTOFF = statement('prune.cutoff', 'select (now() - make_interval(months => $1::int))::text as at');

/** The time so many months ago by the database's clock. Throws what the database throws. */
export async function monthsAgo(sql: Sql, months: number): Promise<string> {
  const [row] = await sql<{ at: string }>(CUTOFF, [months]);
  return row?.at ?? '';
}

/**
 * Prunes the calls received before `cutoff` in some pages of the table, or only counts them. Throws what the database
 * throws; then nothing in these pages has changed.
 */
export async function prunePages(
  sql: Sql,
  cutoff: string,
  pages: { from: number; to: number },
  isDryRun: boolean,
  openStatuses: readonly string[],
): Promise<Pruned> {
  const [row] = await sql<Pruned>(isDryRun ? COUNT : PRUNE, [cutoff, pages.from, pages.to, openStatuses]);
  return row ?? { calls: 0, kept: 0 };
}
