import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../dev/stack.ts';
import { hashPassword } from '../../src/auth/password.ts';
import { examineDatabase } from '../../src/commands/doctor/database.ts';
import { openDatabase } from '../../src/store/database.ts';
import { grant } from '../../src/store/grants.ts';
import { readSessionsState } from '../../src/store/health/sessions.ts';
import { migrate } from '../../src/store/migrate.ts';
import { until } from '../support/broker.ts';

/** Of its own: slots, settings and prepared transactions belong to a whole server. */
let postgres: PostgresServer;
let url: string;
let admin: Client;

beforeAll(async () => {
  postgres = await startPostgres({
    settings: { max_prepared_transactions: '5', archive_mode: 'on', archive_command: 'true' },
  });
  const server = new Client({ connectionString: postgres.url });
  await server.connect();
  await server.query(`create database cdr locale_provider icu icu_locale 'en' template template0`);
  await server.end();
  url = postgres.url.replace(/\/postgres$/, '/cdr');
  await migrate(url);
  admin = new Client({ connectionString: url });
  await admin.connect();
  await admin.query(`insert into users (username, password_hash, role) values ('switch', $1, 'system')`, [
    await hashPassword('correct horse'),
  ]);
});
afterAll(async () => {
  await admin?.end();
  await postgres?.remove();
});

async function examine(databaseUrl = url) {
  return await examineDatabase({
    ...{ DATABASE_URL: databaseUrl, DATABASE_TLS_CA: undefined, DATABASE_TLS_CERT: undefined },
    ...{
      DATABASE_TLS_KEY: undefined,
      SYSTEM_CURRENCY: 'USD',
      OPEN_INVOICE_STATUSES: ['open'],
      LATE_CALLS: 'hold',
    },
  });
}

/** What is not in order, as check and state. */
async function amiss(databaseUrl = url): Promise<Record<string, string>> {
  const found = (await examine(databaseUrl)).filter(({ state }) => state !== 'ok');
  return Object.fromEntries(found.map(({ check, state, detail }) => [`${check} ${state}`, detail]));
}

async function run(...statements: string[]): Promise<void> {
  for (const statement of statements) await admin.query(statement);
}

/** The same database as another role. */
function asRole(name: string): string {
  const changed = new URL(url);
  changed.username = name;
  changed.password = 'word';
  return changed.href;
}

it('finds nothing amiss in a database as the migrations leave it', async () => {
  expect(await amiss()).toEqual({});
});

const PATIENCE_MS = 10_000;
const RELOAD = 'select pg_reload_conf()';

it.each<[string, string[], string[], string, string | RegExp]>([
  [
    'a replication slot that nobody uses, with the WAL that it keeps',
    [`select pg_create_physical_replication_slot('gone', true)`],
    [`select pg_drop_replication_slot('gone')`],
    'replication failed',
    /^nobody uses the replication slot gone, which keeps \d+ \w+ of WAL, and without max_slot_wal_keep_size more until the disk is full\. .*pg_drop_replication_slot\('gone'\)$/,
  ],
  [
    'a replication slot that was never used',
    [`select pg_create_physical_replication_slot('unused')`],
    [`select pg_drop_replication_slot('unused')`],
    'replication warning',
    'the replication slot unused was never used',
  ],
  [
    'synchronous standbys that are not there, so that commits hang',
    [`alter system set synchronous_standby_names = 'any 1 (a, b)'`, RELOAD],
    ['alter system reset synchronous_standby_names', RELOAD],
    'replication failed',
    '0 of 1 synchronous standbys are connected (any 1 (a, b)): every commit waits',
  ],
  [
    'commits that do not wait for synchronous standbys',
    [
      `alter system set synchronous_standby_names = 'a'`,
      `alter system set synchronous_commit = 'local'`,
      RELOAD,
    ],
    ['alter system reset synchronous_standby_names', 'alter system reset synchronous_commit', RELOAD],
    // Nor is it there, which is another fault.
    'database failed,replication failed',
    'commits do not wait for the synchronous standbys: synchronous_commit is local, expected on',
  ],
  [
    'an archive that no command fills',
    [`alter system set archive_command = ''`, RELOAD],
    ['alter system reset archive_command', RELOAD],
    'replication failed',
    'WAL is to be archived, but archive_command is empty: it piles up until the disk is full',
  ],
  [
    'a role whose commits may be lost',
    ['create role hasty', 'alter role hasty set synchronous_commit = off'],
    ['drop role hasty'],
    'database failed',
    'synchronous_commit=off of role hasty: commits may be lost, or none made (alter role … reset)',
  ],
  [
    'indexes that were built by other rules of sorting than the system has now',
    [`update pg_database set datcollversion = '0' where datname = 'cdr'`],
    ['alter database cdr refresh collation version'],
    'database failed',
    /and the indexes were built by 0: a stored uniqueid may not be found and its call charged again\. Run "reindex database"/,
  ],
  [
    'a prepared transaction, which holds rows',
    ['begin', 'insert into peers (id) values (1)', `prepare transaction 'left over'`],
    [`rollback prepared 'left over'`],
    'sessions warning',
    /^the prepared transaction left over has been open for \d+ s and holds its rows: "commit prepared" or "rollback prepared"$/,
  ],
  [
    'an index that PostgreSQL does not hold to',
    [`update pg_index set indisvalid = false where indexrelid = 'cdrs_pkey'::regclass`],
    [`update pg_index set indisvalid = true where indexrelid = 'cdrs_pkey'::regclass`],
    'tables failed',
    'the index cdrs_pkey is invalid: "reindex index concurrently cdrs_pkey"',
  ],
  [
    'a table that a crash empties',
    ['alter table peers set unlogged'],
    ['alter table peers set logged'],
    'tables failed',
    'the table peers is unlogged, a crash empties it: "alter table peers set logged"',
  ],
  [
    'a trigger that somebody switched off',
    ['alter table users disable trigger renew_credentials_version'],
    ['alter table users enable trigger renew_credentials_version'],
    'tables failed',
    'the trigger users.renew_credentials_version is disabled: "alter table … enable trigger …"',
  ],
  [
    'a table that autovacuum leaves alone',
    ['alter table customers set (autovacuum_enabled = off)'],
    ['alter table customers reset (autovacuum_enabled)'],
    'tables warning',
    'autovacuum is off for customers: "alter table customers reset (autovacuum_enabled)"',
  ],
  [
    'autovacuum that is off',
    ['alter system set autovacuum = off', RELOAD],
    ['alter system reset autovacuum', RELOAD],
    'tables warning',
    'autovacuum is off (autovacuum, track_counts): tables and indexes bloat',
  ],
  [
    'a sequence near its end',
    [`select setval('dead_letters_id_seq', 9000000000000000000)`],
    [`select setval('dead_letters_id_seq', 1)`],
    'tables failed',
    'the sequence dead_letters_id_seq has used 98% of its numbers',
  ],
  [
    'dead letters that a version before has kept since the migration',
    [`insert into dead_letters (reason, body, digest) values ('rejected', '', '')`],
    ['delete from dead_letters'],
    'schema warning',
    'an earlier version has kept dead letters that are found by their uniqueid only: run "cdr-ingest migrate" again',
  ],
  [
    'a user whose password is no hash',
    [`insert into users (username, password_hash, role) values ('typed', 'secret', 'system')`],
    [`delete from users where username = 'typed'`],
    'users failed',
    'the password of typed is no usable argon2 hash, its calls are refused: "cdr-ingest user add typed --role system"',
  ],
  [
    'that nobody may send calls',
    [`update users set active = false`],
    [`update users set active = true`],
    'users warning',
    'no user of role system is active, every call is refused: "cdr-ingest user add NAME --role system"',
  ],
  [
    'an open invoice in a currency without a rate',
    [
      `insert into invoices (id, customer, currency, period_start, period_end) values (5, 1, 'XXX', now(), now())`,
    ],
    ['delete from invoices'],
    'billing failed',
    'calls for these open invoices are refused, because the currency has no exchange rate: 5',
  ],
])('finds %s', async (_, breaking, mending, expected, detail) => {
  await run(...breaking);
  try {
    // The server reads its settings again in its own time, after the one before too.
    let found: Record<string, string> = {};
    await until(async () => {
      found = await amiss();
      return Object.keys(found).join() === expected;
    }, PATIENCE_MS);
    expect(Object.values(found)[0]).toEqual(
      typeof detail === 'string' ? detail : expect.stringMatching(detail),
    );
  } finally {
    await run(...mending);
  }
});

it('finds an archive that fails, since when, and no longer when it works again', async () => {
  await run(`alter system set archive_command = 'false'`, RELOAD, 'insert into peers (id) values (9)');
  await run('select pg_switch_wal()');
  await until(async () => 'replication failed' in (await amiss()));
  expect((await amiss())['replication failed']).toMatch(
    /^archiving WAL fails \(\d+ times?, last [0-9A-F]+ at \d{4}-.*Z\): it piles up until the disk is full, and backups end there$/,
  );
  await run('alter system reset archive_command', RELOAD);
  await until(async () => !('replication failed' in (await amiss())));
});

it('sees who keeps others waiting for a lock', async () => {
  const database = openDatabase({
    ...{ url, poolSize: 1, statementTimeoutMs: 10_000, connectTimeoutMs: 10_000, applicationName: 'test' },
  });
  const waiting = new Client({ connectionString: url, application_name: 'waits' });
  await waiting.connect();
  await run('set application_name = holds', 'begin', 'lock table peers');
  const waited = waiting.query('select from peers');
  await until(async () => {
    const { transactions } = await readSessionsState(database.sql);
    return transactions.some(({ kind, whose }) => kind === 'blocking' && whose.includes('(holds of cdr)'));
  });
  await run('rollback', 'reset application_name');
  await waited;
  await waiting.end();
  await database.close(1000);
});

it('goes on with the other checks where somebody has a table locked', async () => {
  await run('begin', 'lock table invoices in access exclusive mode');
  const found = await amiss();
  await run('rollback');
  expect(Object.keys(found)).toEqual(['billing failed']);
  expect(found['billing failed']).toContain('lock timeout');
});

it('finds what the role of a part lacks since a migration, and says what this role may not see', async () => {
  await run(`create role cdr_worker login password 'word'`);
  await grant({ url }, 'worker', 'cdr_worker');
  const notSeen = {
    'sessions unknown':
      'skipped: open transactions of other roles: this role may not see it; "grant pg_read_all_stats to cdr_worker" lets it',
  };
  expect(await amiss(asRole('cdr_worker'))).toEqual(notSeen);
  await run(
    'revoke insert on corrections from cdr_worker',
    'revoke update (calls) on invoices from cdr_worker',
  );
  expect(await amiss(asRole('cdr_worker'))).toEqual({
    ...notSeen,
    'rights failed':
      'cdr_worker has not all rights of worker: it lacks insert on corrections, update on invoices.calls. Run "cdr-ingest migrate --grant worker=cdr_worker" as the owner of the tables',
  });
  await run('grant pg_read_all_stats to cdr_worker');
  await grant({ url }, 'worker', 'cdr_worker');
  expect(await amiss(asRole('cdr_worker'))).toEqual({});
  await run(`create role cdr_upkeep login password 'word' in role pg_read_all_stats`);
  await grant({ url }, 'upkeep', 'cdr_upkeep');
  expect(await amiss(asRole('cdr_upkeep'))).toEqual({
    'users unknown':
      'skipped: permission denied for table users (SQLSTATE 42501); set DATABASE_URL to a role that may read it',
  });
});
