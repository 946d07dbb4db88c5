import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Client } from 'pg';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate, pendingMigrations } from '../../src/store/migrate.ts';
import { untilMigrated } from '../../src/worker/startup.ts';
import { until } from '../support/broker.ts';
import { ask, atWork, gone, MigrationFolders } from '../support/migrating.ts';
import { type FaultProxy, startProxy } from '../support/proxy.ts';
import { migratedServices, type testServices } from '../support/stack.ts';
import { startProcess } from '../support/worker.ts';

const NAME = '29990101000000_next';
const ROWS = `create table slow (id int primary key, changes int not null default 0); insert into slow select generate_series(1, 3)`;

let services: Awaited<ReturnType<typeof testServices>>;
let url: string;
let proxy: FaultProxy;
const folders = new MigrationFolders();
const blockers: Client[] = [];

beforeEach(async () => {
  services = await migratedServices('migrate-killed');
  url = services.databaseUrl;
  proxy = await startProxy(url);
});

afterEach(async () => {
  for (const blocker of blockers.splice(0)) await blocker.end();
  await proxy?.close();
  folders.remove();
  await services?.drop();
});

const query = (text: string) => ask(url, text);

/** A session of somebody else that holds what the statements lock, until it is ended. */
async function block(statements: string, isolation = ''): Promise<Client> {
  const blocker = new Client({ connectionString: url });
  await blocker.connect();
  blockers.push(blocker);
  await blocker.query(`begin ${isolation}; ${statements}`);
  return blocker;
}

/** The same as SIGKILL for the server: the connection of `migrate` ends in the middle of `text`. */
async function cutDuring(folder: string, text: string): Promise<void> {
  const migrating = migrate(proxy.url(url), { folder });
  const failing = expect(migrating).rejects.toThrow(NAME);
  await atWork(url, text);
  proxy.cut();
  await failing;
}

const history = () =>
  query(`select finished_at is not null as finished, rolled_back_at is not null as rolled_back, applied_steps_count as steps
    from _prisma_migrations where migration_name = '${NAME}' order by started_at`);
const ONCE = [{ finished: true, rolled_back: false, steps: 1 }];

describe('migrate that is killed', () => {
  it('while its script waits for a lock leaves nothing of it behind, whenever the lock comes free', async () => {
    const folder = folders.with(NAME, 'create table made (a int); alter table peers add column x int;');
    const blocker = await block('select from peers');
    const script = `import { migrate } from './src/store/migrate.ts'; await migrate('${url}', { folder: '${folder}' });`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
    const ended = once(child, 'close');
    await atWork(url, 'alter table peers');
    child.kill('SIGKILL');
    await ended;
    await blocker.query('rollback');
    await gone(url);
    expect(await migrate(url, { folder })).toEqual([NAME]);
    expect(await history()).toEqual(ONCE);
    expect(await query(`select x from peers`)).toEqual([]);
  });

  it('while its script runs is noticed by the server long before the script would end', async () => {
    const sleep = `select pg_sleep(case when to_regclass('awake') is null then 600 else 0 end)`;
    const folder = folders.with(NAME, `create table made (a int); ${sleep};`);
    await cutDuring(folder, 'pg_sleep');
    await query('create table awake ()');
    expect(await migrate(url, { folder })).toEqual([NAME]);
    expect(await history()).toEqual(ONCE);
  });

  it('while an index is built CONCURRENTLY has it built anew', async () => {
    const folder = folders.with(NAME, 'create index concurrently start_idx on cdrs (start);');
    const blocker = await block('select from cdrs', 'isolation level repeatable read');
    await cutDuring(folder, 'create index concurrently');
    await blocker.query('rollback');
    expect(await migrate(url, { folder })).toEqual([NAME]);
    const valid = `select indisvalid from pg_index where indexrelid = 'start_idx'::regclass`;
    expect(await query(valid)).toEqual([{ indisvalid: true }]);
    expect(await history()).toEqual(ONCE);
  });

  it('after an index was built, and before that was written down, takes it as it is', async () => {
    const folder = folders.with(NAME, 'create index concurrently start_idx on cdrs (start);');
    await query('create index start_idx on cdrs (start)');
    const [before] = await query(`select 'start_idx'::regclass::oid as index`);
    expect(await migrate(url, { folder })).toEqual([NAME]);
    expect(await query(`select 'start_idx'::regclass::oid as index`)).toEqual([before]);
  });

  it('between two portions of rows keeps the first ones and goes on with the others', async () => {
    await query(ROWS);
    const portions = `do $$ begin for n in 1..3 loop
      update slow set changes = changes + 1 where id = n and changes = 0; commit; end loop; end $$;`;
    const folder = folders.with(NAME, `-- In portions.\n${portions}`);
    const blocker = await block('select from slow where id = 2 for update');
    await cutDuring(folder, 'update slow');
    await gone(url);
    expect(await query('select sum(changes)::int as changed from slow')).toEqual([{ changed: 1 }]);
    expect(await pendingMigrations(url, { folder })).toEqual([NAME]);
    await blocker.query('rollback');
    expect(await migrate(url, { folder })).toEqual([NAME]);
    expect(await query('select min(changes) as least, max(changes) as most from slow')).toEqual([
      { least: 1, most: 1 },
    ]);
  });

  it('is waited for by workers, which go on by themselves when it has been run again', async () => {
    // Its index is there, as after a kill before this was written down.
    await query(`delete from _prisma_migrations where migration_name = '20261128101000_calls_by_day'`);
    const lines: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
    const waiting = untilMigrated({ url }, log, new AbortController().signal, () => undefined);
    await until(() => lines.some((line) => line.includes('the database is not migrated')));
    expect(await migrate(url)).toHaveLength(1);
    await waiting;
  });
});

describe('migrate that is told to stop', () => {
  it('cancels its script at once, keeps nothing of it and leaves no session', async () => {
    const folder = folders.with(NAME, 'create table made (a int); select pg_sleep(600);');
    const stopping = new AbortController();
    const migrating = migrate(url, { folder, signal: stopping.signal });
    const failing = expect(migrating).rejects.toThrow(`stopped before migration ${NAME} was done`);
    await atWork(url, 'pg_sleep');
    stopping.abort();
    await failing;
    await gone(url);
    expect(await query(`select to_regclass('made') as made`)).toEqual([{ made: null }]);
    expect(await history()).toEqual([]);
  });

  it('by SIGTERM ends with exit code 1 and says what to do', async () => {
    await block('select pg_advisory_xact_lock(72707370)');
    const command = await startProcess(['migrate'], { DATABASE_URL: url });
    await atWork(url, 'pg_try_advisory_lock');
    expect(await command.stop()).toBe(1);
    expect(command.output()).toContain('stopped');
  });
});

describe('a migration that waits for the lock of a table', () => {
  it('asks for a moment only, so that others get on with their work', async () => {
    const folder = folders.with(NAME, 'alter table peers add column x int;');
    const blocker = await block('select from peers');
    const migrating = migrate(url, { folder });
    await atWork(url, 'alter table peers');
    expect(await query('select from peers')).toEqual([]);
    await blocker.query('rollback');
    expect(await migrating).toEqual([NAME]);
  });

  it('gives up after the time it was given', async () => {
    const folder = folders.with(NAME, 'alter table peers add column x int;');
    await block('select from peers');
    await expect(migrate(url, { folder, lockTimeoutMs: 50 })).rejects.toThrow(
      'somebody has kept a table locked for 0.05 s',
    );
    expect(await history()).toEqual([]);
  });
});

describe('a history that an earlier version left unfinished', () => {
  const SCRIPT = 'create table "made" (a int);\nalter table "peers" add column "x" int;';
  const begun = `insert into _prisma_migrations (id, checksum, migration_name) values ('1', '', '${NAME}')`;

  it('is finished where the script was committed', async () => {
    await query(`${SCRIPT} ${begun}`);
    const folder = folders.with(NAME, SCRIPT);
    expect(await migrate(url, { folder })).toEqual([NAME]);
    expect(await history()).toEqual(ONCE);
  });

  it('is rolled back where it was not, and the script is run', async () => {
    await query(begun);
    const folder = folders.with(NAME, SCRIPT);
    expect(await migrate(url, { folder })).toEqual([NAME]);
    expect(await history()).toEqual([{ finished: false, rolled_back: true, steps: 0 }, ...ONCE]);
  });

  it('waits for the script that PostgreSQL still runs', async () => {
    await query(begun);
    const folder = folders.with(NAME, SCRIPT);
    const left = new Client({ connectionString: url, application_name: 'cdr-ingest migrate' });
    await left.connect();
    blockers.push(left);
    const blocker = await block('lock table peers');
    const running = left.query(SCRIPT);
    await atWork(url, 'create table "made"');
    const migrating = migrate(url, { folder });
    await atWork(url, 'pg_stat_activity');
    await blocker.query('rollback');
    await running;
    expect(await migrating).toEqual([NAME]);
    expect(await history()).toEqual(ONCE);
  });

  it('is refused, with words, where only a part of it is there', async () => {
    await query(`create table made (a int); ${begun}`);
    const folder = folders.with(NAME, SCRIPT);
    await expect(migrate(url, { folder })).rejects.toThrow('only a part of what it makes is there (1 of 2');
  });
});
