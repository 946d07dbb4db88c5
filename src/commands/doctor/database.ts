import { billingRulesOf, type billingVariables } from '../../billing-rules.ts';
import type { Health } from '../../broker/health/health.ts';
import type { Config } from '../../config.ts';
import { type DatabaseConfig, databaseOf } from '../../connections.ts';
import { hasUnfilled } from '../../store/dead-letters/fill.ts';
import { readBillingState } from '../../store/health/billing.ts';
import { databaseCertificate } from '../../store/health/certificate.ts';
import { readReplicationState } from '../../store/health/replication.ts';
import { readRightsState } from '../../store/health/rights.ts';
import { readServerState } from '../../store/health/server.ts';
import { readSessionRights, readSessionsState } from '../../store/health/sessions.ts';
import { readTablesState } from '../../store/health/tables.ts';
import { readActiveUsers } from '../../store/health/users.ts';
import { migrationState } from '../../store/migrate.ts';
import type { Sql } from '../../store/sql.ts';
import { unsuitableIn } from '../../store/suitability.ts';
import { withDatabase } from '../database.ts';
import { CommandError } from '../exit.ts';
import { certificatesOf, examineCertificates } from './certificates.ts';
import { type Check, examined } from './check.ts';
import { billingHealth, rightsHealth, schemaHealth, tablesHealth, usersHealth } from './schema.ts';
import { clockHealth, replicationHealth, serverHealth, sessionsHealth } from './server.ts';

const SESSION = { name: 'doctor', statementTimeoutMs: 10_000 };

type DatabaseChecksConfig = DatabaseConfig & Pick<Config, (typeof billingVariables)[number]>;

const AFTERWARDS = [
  'session',
  'clock',
  'replication',
  'sessions',
  'schema',
  'rights',
  'tables',
  'users',
  'billing',
];

/** The checks of the database. A database that cannot be used is a failed check; only wrong usage is thrown. */
export async function examineDatabase(config: DatabaseChecksConfig): Promise<Check[]> {
  const address = databaseOf(config);
  try {
    return await withDatabase(config, SESSION, async ({ sql }) => {
      const session = sessionHealth(await unsuitableIn(address));
      // Through a pooler that drops session state, any further check may fail for that reason alone.
      if (session.state === 'failed') return [{ check: 'session', ...session }];
      const certificate = await databaseCertificate(address);
      return [
        ...(await examineServer(sql, session)),
        ...examineCertificates(
          certificatesOf("the database's certificate", certificate, address.tls),
          Date.now(),
        ),
        ...(await examineSchema(sql, config)),
      ];
    });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const skipped: Health = { state: 'unknown', detail: 'skipped: database unreachable' };
    return [
      { check: 'database', state: 'failed', detail: error.message },
      ...AFTERWARDS.map((check) => ({ check, ...skipped })),
    ];
  }
}

function sessionHealth(problems: readonly string[]): Health {
  if (problems.length > 0) return { state: 'failed', detail: problems.join('; ') };
  return { state: 'ok', detail: 'UTF8; settings and prepared statements last as long as the connection' };
}

async function examineServer(sql: Sql, session: Health): Promise<Check[]> {
  const state = await readServerState(sql);
  const standby: Health = { state: 'unknown', detail: 'skipped: this is not the primary' };
  const replication = () =>
    examined('replication', async () =>
      replicationHealth(await readReplicationState(sql), state, await readSessionRights(sql)),
    );
  return [
    { check: 'database', ...serverHealth(state) },
    { check: 'session', ...session },
    { check: 'clock', ...clockHealth(state) },
    state.isWritable ? await replication() : { check: 'replication', ...standby },
    await examined('sessions', async () => sessionsHealth(await readSessionsState(sql))),
  ];
}

async function examineSchema(sql: Sql, config: DatabaseChecksConfig): Promise<Check[]> {
  const address = databaseOf(config);
  const billing = billingRulesOf(config);
  const schema = await examined('schema', async () => {
    const state = await migrationState(address.url, address);
    return schemaHealth(state, state.pending.length === 0 && (await hasUnfilled(sql)));
  });
  const onSchema = async (check: string, look: () => Promise<Health>): Promise<Check> =>
    schema.state === 'ok' || schema.state === 'warning'
      ? await examined(check, look)
      : { check, state: 'unknown', detail: 'skipped: migrations are missing, or not to be seen' };
  return [
    schema,
    await onSchema('rights', async () => rightsHealth(await readRightsState(sql))),
    await onSchema('tables', async () => tablesHealth(await readTablesState(sql))),
    await onSchema('users', async () => usersHealth(await readActiveUsers(sql))),
    await onSchema('billing', async () => billingHealth(await readBillingState(sql, billing), billing)),
  ];
}
