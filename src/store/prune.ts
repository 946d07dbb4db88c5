import type { Database } from './database.ts';
import { LATE_ENTRIES } from './late/things.ts';
import { holdLateCalls } from './late/turns.ts';
import { isOpen } from './open-invoices.ts';
import { type Sql, statement } from './sql.ts';

/** The calls in a span of the table that are old enough to be pruned. */
export interface Pruned {
  calls: number;
  /** Old enough, but on an invoice that is still open, or with a correction on one. */
  kept: number;
  /** Old enough, but no invoice took them, or one of their corrections. */
  uninvoiced: number;
}

/** Which of the old calls go, and which statuses of invoices keep theirs. */
export interface PruneRules {
  openStatuses: readonly string[];
  /** Also calls that no invoice took. */
  withUninvoiced: boolean;
}

const OPEN = isOpen('i.status', '$4');

/**
 * The calls received before $1 in the pages from $2 up to $3. `open`: on an invoice of these statuses ($4), or with an entry on
 * one: the bill is not written yet. `late`: the call belongs on an invoice and none took it; `uninvoiced`: it does, or an entry of it.
 *
 * The pages are read by number (a TID range scan), so that no index on the time is needed, which every call would pay for.
 */
const OLD = `
  select c.uniqueid, is_late.late, is_late.late or exists (select from ${LATE_ENTRIES} and late.uniqueid = c.uniqueid) as uninvoiced,
    exists (select from invoices i where i.id = c.invoice and ${OPEN})
      or exists (select from corrections e join invoices i on i.id = e.invoice where e.uniqueid = c.uniqueid and ${OPEN}) as open
  from cdrs c cross join lateral (
    select c.update_invoices = 1 and c.invoice is null and not exists (
      select from corrections e where e.uniqueid = c.uniqueid and e.late_entry = '') as late) as is_late
  where c.ctid >= format('(%s,0)', $2::bigint)::tid and c.ctid < format('(%s,0)', $3::bigint)::tid
    and c.received_at < $1::timestamptz`;

const KEPT = `count(*) filter (where open)::int as kept,
  count(*) filter (where not open and uninvoiced and not $5::boolean)::int as uninvoiced`;

/**
 * One atomic statement: deletes the old calls that may go, those that no invoice took only where $5 says so. Their uniqueids,
 * fingerprints and entries are kept, and their sums are added to those of the calls pruned before: a late call that an entry has put on
 * an invoice, or taken back, is not among the uninvoiced ones.
 *
 * Ingestion waits for nothing here: the deleted rows are far older than any batch under way, and the sums have rows
 * of their own, so that no customer and no invoice is locked.
 */
const PRUNE = statement(
  'prune.calls',
  `
with old as materialized (${OLD}),
gone as (
  delete from cdrs c using old where c.uniqueid = old.uniqueid and not old.open and ($5::boolean or not old.uninvoiced)
  returning old.late, c.uniqueid, c.fingerprint, c.scustomer, c.charged, c.update_balance, c.invoice, c.invoice_cost,
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
  from gone where late group by currency),
summed as (
  insert into past_sums as s (of, key, calls, charged, cost, tax)
  select of, key, calls, charged, cost, tax from part order by of, key
  on conflict (of, key) do update set calls = s.calls + excluded.calls, charged = s.charged + excluded.charged,
    cost = s.cost + excluded.cost, tax = s.tax + excluded.tax)
select (select count(*)::int from gone) as calls, ${KEPT} from old`,
);

const COUNT = statement(
  'prune.count',
  `
select count(*) filter (where not open and ($5::boolean or not uninvoiced))::int as calls, ${KEPT} from (${OLD}) as old`,
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
  { openStatuses, withUninvoiced }: PruneRules,
): Promise<Pruned> {
  const values = [cutoff, pages.from, pages.to, openStatuses, withUninvoiced];
  const [row] = await sql<Pruned>(isDryRun ? COUNT : PRUNE, values);
  return row ?? { calls: 0, kept: 0, uninvoiced: 0 };
}

const TRANSACTION_MS = 60_000;

/** The same, in a transaction of its own that late calls are attached before or after, never at the same time. */
export async function prunePagesInTurn(
  { transaction }: Pick<Database, 'transaction'>,
  cutoff: string,
  pages: { from: number; to: number },
  rules: PruneRules,
): Promise<Pruned> {
  return await transaction(
    async (sql) => {
      await holdLateCalls(sql);
      return await prunePages(sql, cutoff, pages, false, rules);
    },
    { timeoutMs: TRANSACTION_MS },
  );
}
