import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresBinaries } from '../../dev/stack/binaries.ts';
import { type Isolated, type PostgresServer, startPostgres } from '../../dev/stack.ts';
import { openSwitchClient, type SwitchClient } from '../../src/broker/switch-client.ts';
import { linesUnder } from '../support/operations-page.ts';
import { testServices } from '../support/stack.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'cdr-ingest-operations-'));

/** Of its own, because the dump wants tools of the server's version. */
let postgres: PostgresServer;
let services: Isolated;
let client: SwitchClient;
let databaseUrl: string;
/** Of a shell in which the page's commands run. */
let shellEnv: Record<string, string>;
const workers = new Set<WorkerProcess>();

beforeAll(async () => {
  postgres = await startPostgres();
  services = await testServices('operations');
  databaseUrl = await database('cdr');
  shellEnv = await shellEnvironment();
  for (const line of linesUnder('Install').filter((each) => !/^export |worker$/.test(each)))
    await shell(line, {}, 'correct horse\n');
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

/** `cdr-ingest` and the programs of PostgreSQL on the path, and where both find their server. */
async function shellEnvironment(): Promise<Record<string, string>> {
  const { bin, env } = await postgresBinaries(() => {});
  writeFileSync(join(directory, 'cdr-ingest'), `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`, {
    mode: 0o755,
  });
  const { hostname, port, username, password, pathname } = new URL(databaseUrl);
  return {
    ...env,
    ...{ PATH: [directory, bin, env.PATH].join(':'), DATABASE_URL: databaseUrl, AMQP_URL: services.amqpUrl },
    ...{
      PGHOST: hostname,
      PGPORT: port,
      PGUSER: username,
      PGPASSWORD: password,
      PGDATABASE: pathname.slice(1),
    },
  };
}

/** Runs a line as it stands on the page; it must succeed. Returns what it wrote. */
function shell(line: string, more: Record<string, string> = {}, input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env: { ...shellEnv, ...more }, cwd: directory };
    const child = execFile('sh', ['-c', line], options, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${line}\n${stdout}${stderr}`)),
    );
    // One that reads nothing may have ended before.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
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
  const sender = { auth_username: 'switch-1', auth_password: 'correct horse' };
  const body = JSON.stringify({ ...sender, uniqueid, machine: 'm', start: 1, scustomer: 1, cost: 2 });
  const { responses, isDuplicate } = await client.submit({ body });
  return { code: responses[0]?.code, isDuplicate };
}

describe('as docs/operations.md says', () => {
  it('the password of a database role of least rights is changed under a worker', async () => {
    for (const line of linesUnder('Roles of the database')) await shell(line);
    await on(databaseUrl, `alter role cdr_worker password 'first'`);
    const withPassword = (password: string) => {
      const url = new URL(databaseUrl);
      url.username = 'cdr_worker';
      url.password = password;
      return url.href;
    };
    const before = await worker(withPassword('first'));
    expect(await call('o.1')).toEqual({ code: '204', isDuplicate: false });
    await on(databaseUrl, `alter role cdr_worker password 'second'`);
    expect(await call('o.2')).toEqual({ code: '204', isDuplicate: false });
    const after = await worker(withPassword('second'));
    await end(before);
    expect(await call('o.3')).toEqual({ code: '204', isDuplicate: false });
    await end(after);
  });

  it('a dump restored elsewhere is current, its books are right, and what is sent again is a duplicate', async () => {
    const restored = await database('restored');
    const lines = linesUnder('Back up and restore');
    const written = [];
    for (const line of lines) written.push(await shell(line, { EMPTY_DATABASE_URL: restored }));
    expect(lines.map((line) => line.split(' ').at(-1))).toEqual([
      '"$DATABASE_URL"',
      'cdr.dump',
      'migrate',
      'reconcile',
    ]);
    expect(written.slice(0, 3)).toEqual(['', '', 'the database is up to date\n']);

    const running = await worker(restored);
    expect(await call('o.1')).toEqual({ code: '204', isDuplicate: true });
    expect(await call('o.after-the-dump')).toEqual({ code: '204', isDuplicate: false });
    await end(running);
    await shell('cdr-ingest reconcile', { DATABASE_URL: restored });
  });
});
