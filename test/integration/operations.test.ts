import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresBinaries } from '../../dev/stack/binaries.ts';
import { type Isolated, type PostgresServer, startPostgres } from '../../dev/stack.ts';
import { openSwitchClient, type SwitchClient } from '../../src/broker/switch-client.ts';
import { testServices } from '../support/stack.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

const run = promisify(execFile);
const directory = mkdtempSync(join(tmpdir(), 'cdr-ingest-operations-'));

/** Of its own, because the dump wants tools of the server's version. */
let postgres: PostgresServer;
let services: Isolated;
let client: SwitchClient;
let databaseUrl: string;
const workers = new Set<WorkerProcess>();

beforeAll(async () => {
  postgres = await startPostgres();
  services = await testServices('operations');
  databaseUrl = await database('cdr');
  expect(await command(['migrate'], { DATABASE_URL: databaseUrl })).toMatchObject({ code: 0 });
  expect(await command(['topology'], { AMQP_URL: services.amqpUrl })).toMatchObject({ code: 0 });
  const adding = await startProcess(['user', 'add', 'switch', '--role', 'system'], {
    DATABASE_URL: databaseUrl,
  });
  adding.child.stdin?.end('correct horse\n');
  expect(await adding.ended).toBe(0);
  await on(
    databaseUrl,
    `insert into currencies (code, rate) values ('USD', 1)`,
    `insert into customers (id, name, currency, balance) values (1, 'one', 'USD', 100)`,
  );
  client = await openSwitchClient([services.amqpUrl], 'cdrs', 30_000);
});
afterAll(async () => {
  await client?.close();
  for (const worker of workers) await worker.stop();
  await services?.drop();
  await postgres?.remove();
  rmSync(directory, { recursive: true, force: true });
});

async function on(url: string, ...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

/** An empty database; its URL. */
async function database(name: string): Promise<string> {
  await on(postgres.url, `create database ${name}`);
  return postgres.url.replace(/\/postgres$/, `/${name}`);
}

async function command(args: string[], environment: Record<string, string>) {
  const started = await startProcess(args, environment);
  const code = await started.ended;
  return { code, output: started.output() };
}

async function worker(url: string): Promise<WorkerProcess> {
  const started = await startProcess(['worker'], {
    DATABASE_URL: url,
    AMQP_URL: services.amqpUrl,
    HTTP_PORT: '0',
  });
  await started.logged('"state":"consuming"');
  workers.add(started);
  return started;
}

async function end(ending: WorkerProcess): Promise<void> {
  workers.delete(ending);
  expect(await ending.stop()).toBe(0);
}

async function call(uniqueid: string) {
  const sender = { auth_username: 'switch', auth_password: 'correct horse' };
  const body = JSON.stringify({ ...sender, uniqueid, machine: 'm', start: 1, scustomer: 1, cost: 2 });
  const { responses, isDuplicate } = await client.submit({ body });
  return { code: responses[0]?.code, isDuplicate };
}

describe('as docs/operations.md says', () => {
  it('the password of a database user who may only read and write is changed under a worker', async () => {
    await on(
      databaseUrl,
      `create role app login password 'first'`,
      'grant select, insert, update, delete on all tables in schema public to app',
      'grant usage on all sequences in schema public to app',
    );
    const withPassword = (password: string) => {
      const url = new URL(databaseUrl);
      url.username = 'app';
      url.password = password;
      return url.href;
    };
    const before = await worker(withPassword('first'));
    expect(await call('o.1')).toEqual({ code: '204', isDuplicate: false });
    await on(databaseUrl, `alter role app password 'second'`);
    expect(await call('o.2')).toEqual({ code: '204', isDuplicate: false });
    const after = await worker(withPassword('second'));
    await end(before);
    expect(await call('o.3')).toEqual({ code: '204', isDuplicate: false });
    await end(after);
  });

  it('a dump restored elsewhere is current, its books are right, and what is sent again is a duplicate', async () => {
    const { bin, env } = await postgresBinaries(() => {});
    const dump = join(directory, 'cdr.dump');
    await run(join(bin, 'pg_dump'), ['--format=custom', `--file=${dump}`, databaseUrl], { env });
    const restored = await database('restored');
    await run(join(bin, 'pg_restore'), [`--dbname=${restored}`, '--no-owner', dump], { env });
    const environment = { DATABASE_URL: restored };
    expect(await command(['migrate'], environment)).toEqual({
      code: 0,
      output: 'the database is up to date\n',
    });
    expect(await command(['reconcile'], environment)).toMatchObject({ code: 0 });

    const running = await worker(restored);
    expect(await call('o.1')).toEqual({ code: '204', isDuplicate: true });
    expect(await call('o.after-the-dump')).toEqual({ code: '204', isDuplicate: false });
    await end(running);
    expect(await command(['reconcile'], environment)).toMatchObject({ code: 0 });
  });
});
