import type { BillingRules } from '../domain/charge.ts';
import { isOpen } from './open-invoices.ts';
import { type Sql, statement } from './sql.ts';

/** What a database reports about itself. */
export interface DatabaseState {
  version: string;
  isWritable: boolean;
  /** Those of fsync, full_page_writes and synchronous_commit that are off: with each, commits may be lost. */
  unsafe: string[];
  /** synchronous_standby_names; '' for none. */
  synchronousStandbys: string;
  /** Milliseconds by which its clock is ahead of this machine's, to within half of `roundTripMs`. */
  clockAheadMs: number;
  roundTripMs: number;
}

const STATE = statement(
  'health.database-state',
  `
  select current_setting('server_version') as version, current_setting('transaction_read_only') = 'off' as writable,
    array(select name from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit')
      and setting = 'off' order by name) as unsafe,
    current_setting('synchronous_standby_names') as standbys,
    extract(epoch from clock_timestamp())::float8 * 1000 as now`,
);

/** Reads the state of a database. Throws what the database throws. */
export async function readDatabaseState(sql: Sql): Promise<DatabaseState> {
  type Row = { version: string; writable: boolean; unsafe: string[]; standbys: string; now: number };
  // The first statement of a connection also waits for connecting and planning, which would look like a difference of clocks.
  await sql(STATE, []);
  const asked = Date.now();
  const [row] = await sql<Row>(STATE, []);
  const answered = Date.now();
  if (row === undefined) throw new Error('the database gave no row');
  return {
    version: row.version.split(' ')[0] ?? row.version,
    isWritable: row.writable,
    unsafe: row.unsafe,
    synchronousStandbys: row.standbys,
    clockAheadMs: Math.round(row.now - (asked + answered) / 2),
    roundTripMs: answered - asked,
  };
}

/** What the tables of the billing system hold. */
export interface BillingState {
  hasInvoices: boolean;
  hasOpen: boolean;
  /** Ids of taxes, ten at most, whose currency has no exchange rate. */
  taxes: number[];
}

const BILLING = statement(
  'health.billing-state',
  `
  select exists (select from invoices) as "hasInvoices", exists (select from invoices where ${isOpen('status', '$1')}) as "hasOpen",
    array(select id from taxes where currency <> $2::text and currency not in (select code from currencies)
      order by id limit 10) as taxes`,
);

/** Reads the state of the billing system's tables. Throws what the database throws. */
export async function readBillingState(sql: Sql, billing: BillingRules): Promise<BillingState> {
  const [row] = await sql<BillingState>(BILLING, [billing.openStatuses, billing.systemCurrency]);
  if (row === undefined) throw new Error('the database gave no row');
  return row;
}
