import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PgBouncerOptions, startPgBouncer } from '../../dev/stack/pgbouncer.ts';
import type { Isolated } from '../../dev/stack.ts';
import { expectFaultless, openSite } from '../support/faults.ts';
import { testServices, testStack } from '../support/stack.ts';
import { startProcess } from '../support/worker.ts';

let services: Isolated;
beforeAll(async () => {
  services = await testServices('unsuitable');
});
afterAll(() => services?.drop());

async function query(url: string, text: string) {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

async function run(command: string, databaseUrl: string) {
  const { amqpUrl: AMQP_URL } = services;
  const process = await startProcess([command], { DATABASE_URL: databaseUrl, AMQP_URL, HTTP_PORT: '0' });
  return { code: await process.ended, output: process.output() };
}

/** `worker` and `migrate` end at once with one line, and `doctor` fails with the same. */
async function expectRefused(databaseUrl: string, line: string) {
  for (const command of ['migrate', 'worker']) {
    const { code, output } = await run(command, databaseUrl);
    expect({ command, code, output }).toMatchObject({ code: 2, output: expect.stringContaining(line) });
    const told = output.split('\n').filter((text) => text.startsWith('cdr-ingest: '));
    expect(told).toHaveLength(1);
  }
  const { code, output } = await run('doctor', databaseUrl);
  expect({ code, output }).toMatchObject({ code: 1, output: expect.stringContaining(line) });
}

describe('a database that could not hold every text is refused', () => {
  it.each(['LATIN1', 'SQL_ASCII'])('%s', async (encoding) => {
    const { databaseUrl } = await testStack();
    const name = `cdr_${encoding.toLowerCase()}_${process.pid}`;
    await query(databaseUrl, `create database ${name} encoding '${encoding}' locale 'C' template template0`);
    try {
      const url = new URL(databaseUrl);
      url.pathname = `/${name}`;
      await expectRefused(url.href, `the database has the encoding ${encoding}, expected UTF8`);
    } finally {
      await query(databaseUrl, `drop database ${name} with (force)`);
    }
  });
});

describe('PgBouncer', () => {
  async function behind<Result>(
    options: Omit<PgBouncerOptions, 'databaseUrl'>,
    databaseUrl: string,
    work: (pooledUrl: string) => Promise<Result>,
  ) {
    const progress = (line: string) => process.stderr.write(`${line}\n`);
    const bouncer = await startPgBouncer({ ...options, databaseUrl, progress });
    try {
      return await work(bouncer.databaseUrl);
    } finally {
      await bouncer.remove();
    }
  }

  it.each([
    ['in transaction mode', { mode: 'transaction' }, 'a pooler forgets prepared statements'],
    [
      'in transaction mode, each server connection in its turn',
      { mode: 'transaction', settings: { server_round_robin: '1' } },
      'a pooler forgets prepared statements',
    ],
    [
      'in transaction mode with one server connection',
      { mode: 'transaction', settings: { default_pool_size: '1' } },
      "a pooler lets clients wait for each other's transactions",
    ],
    ['in statement mode', { mode: 'statement' }, 'a pooler lets no transaction through'],
    [
      'as it comes, without ignore_startup_parameters',
      { mode: 'session', settings: { ignore_startup_parameters: '' } },
      'PgBouncer needs ignore_startup_parameters=options',
    ],
  ] as const)('%s is refused, and nothing stays locked', async (_, options, line) => {
    await behind(options, services.databaseUrl, async (pooledUrl) => {
      await expectRefused(pooledUrl, line);
      const locks = `select count(*)::int as held from pg_locks where locktype = 'advisory'
        and database = (select oid from pg_database where datname = current_database())`;
      expect(await query(services.databaseUrl, locks)).toEqual([{ held: 0 }]);
    });
  });

  it('in session mode carries two workers as PostgreSQL itself does', async () => {
    const site = await openSite('pooled', 4701);
    try {
      await behind({ mode: 'session' }, site.databaseUrl, async (pooledUrl) => {
        expect(await run('migrate', pooledUrl)).toMatchObject({ code: 0 });
        const pooled = { DATABASE_URL: pooledUrl };
        const workers = await Promise.all([site.worker(pooled), site.worker(pooled)]);
        await site.calls.send(site.calls.make(300));
        await site.allAnswered();
        expect(workers).toHaveLength(2);
        await expectFaultless(site);
      });
    } finally {
      await site.close();
    }
  });
});
