import { isUsableHash } from '../../auth/password.ts';
import { type Health, healthFrom } from '../../broker/health/health.ts';
import type { BillingRules } from '../../domain/charge.ts';
import type { BillingState } from '../../store/health/billing.ts';
import type { RightsState } from '../../store/health/rights.ts';
import type { TablesState } from '../../store/health/tables.ts';
import type { ActiveUser } from '../../store/health/users.ts';
import type { MigrationState } from '../../store/migrate.ts';

/** @param hasUnfilled of a database that lacks no migration */
export function schemaHealth({ pending, newer }: MigrationState, hasUnfilled: boolean): Health {
  if (pending.length > 0)
    return { state: 'failed', detail: `missing ${pending.join(', ')}: run "cdr-ingest migrate"` };
  // Workers of that version may have gone on after the migration.
  if (hasUnfilled)
    return {
      state: 'warning',
      detail:
        'an earlier version has kept dead letters that are found by their uniqueid only: run "cdr-ingest migrate" again',
    };
  if (newer.length === 0) return { state: 'ok', detail: 'all migrations are applied' };
  return {
    state: 'ok',
    detail: `all migrations are applied, and ${newer.join(', ')} of a later version: upgrade cdr-ingest here too`,
  };
}

/** PostgreSQL takes no more writes some 3 million transactions before 2^31, and vacuums at any price from here on. */
const AGE_FAILED = 1_600_000_000;
/** Autovacuum should have frozen the rows at `freezeAge`; it is far behind at twice as much. */
const AGE_WARNING = 2;
const SEQUENCE_FAILED = 95;

/** Whether somebody has changed the tables under the migrations, and what keeps them in order still works. */
export function tablesHealth(state: TablesState): Health {
  const age = `the oldest transaction id in use is ${Math.round(state.age / 1e6)} million old: find what keeps vacuum from it (open transactions, replication slots), and run "vacuumdb --freeze"`;
  const sequences = (from: number, below: number) =>
    state.sequences
      .filter(({ percent }) => percent >= from && percent < below)
      .map(({ name, percent }) => `the sequence ${name} has used ${percent}% of its numbers`);
  return healthFrom({
    problems: [
      ...state.invalidIndexes.map(
        (name) => `the index ${name} is invalid: "reindex index concurrently ${name}"`,
      ),
      ...state.unloggedTables.map(
        (name) => `the table ${name} is unlogged, a crash empties it: "alter table ${name} set logged"`,
      ),
      ...state.disabledTriggers.map(
        (name) => `the trigger ${name} is disabled: "alter table … enable trigger …"`,
      ),
      ...(state.age >= AGE_FAILED ? [age] : []),
      ...sequences(SEQUENCE_FAILED, Number.POSITIVE_INFINITY),
    ],
    warnings: [
      ...(state.isAutovacuumOn
        ? []
        : ['autovacuum is off (autovacuum, track_counts): tables and indexes bloat']),
      ...state.unvacuumedTables.map(
        (name) => `autovacuum is off for ${name}: "alter table ${name} reset (autovacuum_enabled)"`,
      ),
      ...(state.age >= state.freezeAge * AGE_WARNING && state.age < AGE_FAILED ? [age] : []),
      ...sequences(0, SEQUENCE_FAILED),
    ],
    fine: 'indexes, triggers and autovacuum are in order',
  });
}

/** Rights that are named before "and so many more". */
const NAMED = 5;

/** Whether the role of DATABASE_URL may do all that some part of the system does: a migration may have brought more. */
export function rightsHealth({ role, lacking }: RightsState): Health {
  const whole = lacking.filter(({ rights }) => rights.length === 0).map(({ part }) => part);
  const [nearest] = lacking;
  if (whole.length > 0 || nearest === undefined)
    return { state: 'ok', detail: `${role} has the rights of ${whole.join(', ')}` };
  const { part, rights } = nearest;
  const more = rights.length > NAMED ? ` and ${rights.length - NAMED} more` : '';
  return {
    state: 'failed',
    detail: `${role} has not all rights of ${part}: it lacks ${rights.slice(0, NAMED).join(', ')}${more}. Run "cdr-ingest migrate --grant ${part}=${role}" as the owner of the tables`,
  };
}

/** Whether anybody's calls are taken. */
export function usersHealth(users: readonly ActiveUser[]): Health {
  const unusable = users.filter(({ passwordHash }) => !isUsableHash(passwordHash));
  return healthFrom({
    problems: unusable.map(
      ({ username }) =>
        `the password of ${username} is no usable argon2 hash, its calls are refused: "cdr-ingest user add ${username} --role system"`,
    ),
    warnings:
      users.length === 0
        ? [
            'no user of role system is active, every call is refused: "cdr-ingest user add NAME --role system"',
          ]
        : [],
    fine: `${users.length} of role system active`,
  });
}

/** What the billing system may have loaded, or the configuration may say, that no single call shows to be wrong. */
export function billingHealth(
  { hasInvoices, hasOpen, statuses, taxes, customers, invoices }: BillingState,
  { openStatuses }: BillingRules,
): Health {
  const open = `open invoices are those with the status ${openStatuses.join(' or ')}`;
  const withoutRate = (whose: string, ids: readonly number[]) =>
    ids.length === 0
      ? []
      : [`calls ${whose} are refused, because the currency has no exchange rate: ${ids.join(', ')}`];
  return healthFrom({
    problems: [
      ...(hasInvoices && !hasOpen
        ? [
            `no invoice has the status ${openStatuses.join(' or ')} (OPEN_INVOICE_STATUSES), there are: ${statuses.join(', ')}: no call goes on one`,
          ]
        : []),
      ...withoutRate('with these taxes', taxes),
      ...withoutRate('of these customers', customers),
      ...withoutRate('for these open invoices', invoices),
    ],
    fine: hasInvoices ? open : `${open}; there is no invoice yet`,
  });
}
