import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { prismaFindings, schemaDrift } from '../../dev/schema-engine.ts';
import { MigrationError, migrate, pendingMigrations } from '../../src/store/migrate.ts';
import { ask, MigrationFolders } from '../support/migrating.ts';
import { testServices } from '../support/stack.ts';

const INIT = '20261123000000_init';

let services: Awaited<ReturnType<typeof testServices>>;
let url: string;
const folders = new MigrationFolders();
const folderWith = (name: string, script: string) => folders.with(name, script);
const query = (text: string) => ask(url, text);

beforeEach(async () => {
  services = await testServices('migrate');
  url = services.databaseUrl;
});

afterEach(async () => {
  folders.remove();
  await services.drop();
});

describe('migrate', () => {
  test('brings an empty database to the schema, and says what it applied', async () => {
    expect(await pendingMigrations(url)).toContain(INIT);
    const applied = await migrate(url);
    expect(applied[0]).toBe(INIT);
    expect(await pendingMigrations(url)).toEqual([]);
  });

  test('leaves no difference between the database and schema.prisma', async () => {
    await migrate(url);
    expect(await schemaDrift(url)).toBe('');
  });

  test('keeps its history as Prisma does, which finds nothing pending, failed or edited', async () => {
    await migrate(url);
    expect(await prismaFindings(url)).toEqual({ applied: [], failed: [], edited: [], diverging: null });
  });

  test('applies nothing the second time', async () => {
    await migrate(url);
    expect(await migrate(url)).toEqual([]);
  });

  test('is applied once by several processes that start together', async () => {
    const applied = await Promise.all([migrate(url), migrate(url), migrate(url), migrate(url)]);
    expect(applied.flat().filter((name) => name === INIT)).toHaveLength(1);
    expect(await query('select count(*)::int as rows from _prisma_migrations')).toEqual([
      { rows: applied.flat().length },
    ]);
  });

  test('gives up waiting for another process after the time it was given', async () => {
    const other = new Client({ connectionString: url });
    await other.connect();
    try {
      await other.query('select pg_advisory_lock(72707370)');
      await expect(migrate(url, { lockTimeoutMs: 50 })).rejects.toThrow('another process has been migrating');
    } finally {
      await other.end();
    }
    expect(await pendingMigrations(url)).toContain(INIT);
  });

  test('keeps nothing of a migration that fails, and names it with the reason', async () => {
    const folder = folderWith('29990101000000_bad', 'create table half (a int); select 1 / 0;');
    const failure = await migrate(url, { folder }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(MigrationError);
    expect(String(failure)).toContain('29990101000000_bad');
    expect(String(failure)).toContain('division by zero');
    expect(String(failure)).not.toContain('\n');
    expect(await query("select to_regclass('half') as half")).toEqual([{ half: null }]);
    expect(await pendingMigrations(url, { folder })).toEqual(['29990101000000_bad']);
  });

  test('builds an index beside those who write, in a migration of its own', async () => {
    const folder = folderWith('29990101000000_index', 'create index concurrently start_idx on cdrs (start);');
    expect(await migrate(url, { folder })).toContain('29990101000000_index');
    const valid = `select indisvalid from pg_index where indexrelid = 'start_idx'::regclass`;
    expect(await query(valid)).toEqual([{ indisvalid: true }]);
  });

  test('builds an index again whose building was interrupted', async () => {
    const script = 'create unique index concurrently "rates_idx" on currencies ((rate > 0));';
    const folder = folderWith('29990101000000_index', script);
    await migrate(url);
    await query(`insert into currencies (code, rate) values ('USD', 1), ('EUR', 1)`);
    await expect(migrate(url, { folder })).rejects.toThrow('29990101000000_index');
    await query(`delete from currencies where code = 'EUR'`);
    expect(await migrate(url, { folder })).toEqual(['29990101000000_index']);
    const valid = `select indisvalid from pg_index where indexrelid = 'rates_idx'::regclass`;
    expect(await query(valid)).toEqual([{ indisvalid: true }]);
  });

  test('tries a migration that failed before again', async () => {
    const bad = folderWith('29990101000000_next', 'select 1 / 0;');
    await expect(migrate(url, { folder: bad })).rejects.toThrow(MigrationError);
    const good = folderWith('29990101000000_next', 'create table whole (a int);');
    expect(await migrate(url, { folder: good })).toEqual(['29990101000000_next']);
    expect(await pendingMigrations(url, { folder: good })).toEqual([]);
  });

  test('refuses a database that holds the tables of others', async () => {
    await query('create table somebodys (a int)');
    await expect(migrate(url)).rejects.toThrow('the database contains other tables');
  });

  test('says in one line why a database cannot be used', async () => {
    const wrong = new URL(url);
    wrong.password = 'wrong';
    await expect(migrate(wrong.href)).rejects.toThrow(
      /^password authentication failed .* \(SQLSTATE 28P01\)$/,
    );
    await expect(migrate('postgresql://nobody@127.0.0.1:1/none')).rejects.toThrow('127.0.0.1:1');
  });
});

describe('schemaDrift', () => {
  test('shows what somebody changed by hand', async () => {
    await migrate(url);
    await query('alter table peers drop column name');
    expect(await schemaDrift(url)).toContain('ALTER TABLE "peers" ADD COLUMN');
  });
});

describe('the schema', () => {
  beforeEach(async () => {
    await migrate(url);
  });

  test('takes reference rows with the documented columns alone', async () => {
    await query(`insert into currencies (code, rate) values ('USD', 1)`);
    await query(`insert into customers (id, name, currency, balance) values (1, 'one', 'USD', 10)`);
    await query(`insert into invoices (id, customer, currency, period_start, period_end, status)
      values (1, 1, 'USD', now(), now(), 'open')`);
    await query(`insert into taxes (id, name, rate) values (1, 'VAT', 20)`);
    await query(`insert into taxes (id, name, flat) values (2, 'levy', 0.1)`);
    await query(`insert into peers (id, name) values (1, 'carrier')`);
    await query(
      `insert into users (username, password_hash, role, active) values ('switch', 'x', 'system', true)`,
    );
    expect(await query('select charged::text, calls::text from customers')).toEqual([
      { charged: '0.000000', calls: '0' },
    ]);
  });

  test.each([
    ['a rate of zero', `insert into currencies (code, rate) values ('USD', 0)`, 'currencies_rate_check'],
    [
      'an unknown role',
      `insert into users (username, password_hash, role) values ('a', 'x', 'root')`,
      'users_role_check',
    ],
    [
      'an unknown reason of a dead letter',
      `insert into dead_letters (reason, body, digest) values ('bored', '', '')`,
      'dead_letters_reason_check',
    ],
    [
      'an unknown status of a dead letter',
      `insert into dead_letters (reason, status, body, digest) values ('failed', 'alive', '', '')`,
      'dead_letters_status_check',
    ],
  ])('refuses %s', async (_what, statement, constraint) => {
    await expect(query(statement)).rejects.toMatchObject({ code: '23514', constraint });
  });

  test('has settle_assert, which ends a statement whose terms do not hold', async () => {
    expect(await query(`select settle_assert(true, 'fine') as held`)).toEqual([{ held: true }]);
    for (const untrue of ['false', 'null']) {
      await expect(query(`select settle_assert(${untrue}, 'an invoice changed')`)).rejects.toMatchObject({
        code: 'CDR01',
        message: 'an invoice changed',
      });
    }
  });
});
