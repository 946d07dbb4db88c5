import { billingRulesOf, type billingVariables } from '../billing-rules.ts';
import type { Health } from '../broker/health/health.ts';
import type { Config } from '../config.ts';
import { type DatabaseConfig, databaseOf } from '../connections.ts';
import type { BillingRules } from '../domain/charge.ts';
import {
  type BillingState,
  type DatabaseState,
  readBillingState,
  readDatabaseState,
} from '../store/health.ts';
import { type MigrationState, migrationState } from '../store/migrate.ts';
import type { Sql } from '../store/sql.ts';
import { unsuitableIn } from '../store/suitability.ts';
import { withDatabase } from './database.ts';
import { CommandError } from './exit.ts';

const SESSION = { name: 'doctor', statementTimeoutMs: 10_000 };
/** With clocks further apart, times in logs, dead letters and calls are hard to compare. */
const CLOCK_LIMIT_MS = 2000;

type Check = Health & { check: string };

/** The checks of the database. A database that cannot be used is a failed check; only wrong usage is thrown. */
export async function examineDatabase(
  config: DatabaseConfig & Pick<Config, (typeof billingVariables)[number]>,
): Promise<Check[]> {
  const address = databaseOf(config);
  const skipped: Health = { state: 'unknown', detail: 'skipped: database unreachable' };
  try {
    return await withDatabase(config, SESSION, async ({ sql }) => {
      const session = sessionHealth(await unsuitableIn(address));
      // Through a pooler that drops session state, any further check may fail for that reason alone.
      if (session.state === 'failed') return [{ check: 'session', ...session }];
      const state = await readDatabaseState(sql);
      const migrations = await migrationState(address.url, address);
      return [
        { check: 'database', ...databaseHealth(state) },
        { check: 'session', ...session },
        { check: 'schema', ...schemaHealth(migrations) },
        { check: 'clock', ...clockHealth(state) },
        { check: 'billing', ...(await examineBilling(sql, migrations, billingRulesOf(config))) },
      ];
    });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return [
      { check: 'database', state: 'failed', detail: error.message },
      { check: 'session', ...skipped },
      { check: 'schema', ...skipped },
      { check: 'clock', ...skipped },
      { check: 'billing', ...skipped },
    ];
  }
}

function sessionHealth(problems: readonly string[]): Health {
  if (problems.length > 0) return { state: 'failed', detail: problems.join('; ') };
  return { state: 'ok', detail: 'UTF8; settings and prepared statements last as long as the connection' };
}

function databaseHealth({ version, isWritable, unsafe, synchronousStandbys }: DatabaseState): Health {
  if (!isWritable)
    return {
      state: 'failed',
      detail: `PostgreSQL ${version} is read-only: DATABASE_URL must lead to the primary`,
    };
  if (unsafe.length > 0)
    return {
      state: 'failed',
      detail: `PostgreSQL ${version} may lose commits: ${unsafe.join(', ')} is off, expected on (postgresql.conf)`,
    };
  const standbys =
    synchronousStandbys === '' ? 'no synchronous standby' : `synchronous standbys: ${synchronousStandbys}`;
  return { state: 'ok', detail: `PostgreSQL ${version}, writable, ${standbys}` };
}

function schemaHealth({ pending, newer }: MigrationState): Health {
  if (pending.length > 0)
    return { state: 'failed', detail: `missing ${pending.join(', ')}: run "cdr-ingest migrate"` };
  if (newer.length === 0) return { state: 'ok', detail: 'all migrations are applied' };
  return {
    state: 'ok',
    detail: `all migrations are applied, and ${newer.join(', ')} of a later version: upgrade cdr-ingest here too`,
  };
}

function clockHealth({ clockAheadMs, roundTripMs }: DatabaseState): Health {
  const ahead = clockAheadMs >= 0 ? 'ahead of' : 'behind';
  const detail = `the database's clock is ${Math.abs(clockAheadMs)} ms ${ahead} this one (±${Math.ceil(roundTripMs / 2)} ms)`;
  const isOff = Math.abs(clockAheadMs) - roundTripMs / 2 > CLOCK_LIMIT_MS;
  return isOff
    ? { state: 'failed', detail: `${detail}: synchronize both with NTP` }
    : { state: 'ok', detail };
}

async function examineBilling(sql: Sql, { pending }: MigrationState, billing: BillingRules): Promise<Health> {
  if (pending.length > 0) return { state: 'unknown', detail: 'skipped: migrations are missing' };
  return billingHealth(await readBillingState(sql, billing), billing);
}

/** What the billing system may have loaded, or the configuration may say, that no single call shows to be wrong. */
function billingHealth(
  { hasInvoices, hasOpen, taxes }: BillingState,
  { openStatuses }: BillingRules,
): Health {
  const problems = [
    ...(hasInvoices && !hasOpen
      ? [
          `no invoice has the status ${openStatuses.join(' or ')} (OPEN_INVOICE_STATUSES): no call goes on one`,
        ]
      : []),
    ...(taxes.length > 0
      ? [`calls with these taxes are refused, because the currency has no exchange rate: ${taxes.join(', ')}`]
      : []),
  ];
  if (problems.length > 0) return { state: 'failed', detail: problems.join('; ') };
  const open = `open invoices are those with the status ${openStatuses.join(' or ')}`;
  return { state: 'ok', detail: hasInvoices ? open : `${open}; there is no invoice yet` };
}
