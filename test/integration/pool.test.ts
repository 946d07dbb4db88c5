import { once } from 'node:events';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Pool } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Isolated } from '../../dev/stack.ts';
import { connectionConfig } from '../../src/store/connection.ts';
import { openPool } from '../../src/store/pool.ts';
import { testServices } from '../support/stack.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;
const MIB = 1_048_576;

let services: Isolated;
beforeAll(async () => {
  services = await testServices('pool');
});
afterAll(() => services?.drop());

/** A pool of one connection, and what it tells of errors. */
function openOne(silenceMs: number) {
  const errors: unknown[] = [];
  const config = connectionConfig({
    url: services.databaseUrl,
    applicationName: 'pool',
    connectTimeoutMs: 10_000,
    poolSize: 1,
    statementTimeoutMs: 60_000,
    lockTimeoutMs: 0,
  });
  const { pool, cut } = openPool({ ...config, query_timeout: silenceMs }, (error) => errors.push(error));
  return { pool, cut, errors };
}

async function backendOf(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]?.pid ?? 0;
}

it('a connection is cut when a statement on it is not answered, and the pool opens another', async () => {
  const { pool } = openOne(300);
  const before = await backendOf(pool);
  await expect(pool.query('select pg_sleep(60)')).rejects.toThrow(
    'Connection terminated: no answer within 300 ms',
  );
  expect(await backendOf(pool)).not.toBe(before);
  await pool.end();
});

it('setting up a new session has the same limit', async () => {
  const { pool } = openOne(300);
  pool.options.onConnect = ((onConnect) => (client) => {
    onConnect?.(client);
    return client.query('select pg_sleep(60)');
  })(pool.options.onConnect);
  await expect(pool.query('select 1')).rejects.toThrow('Connection terminated: no answer within 300 ms');
  await pool.end();
});

it('an idle connection outlives the limit, and is cut when a later statement gets no answer', async () => {
  const { pool, errors } = openOne(300);
  const before = await backendOf(pool);
  const client = await pool.connect();
  const { stream } = client.connection;
  client.release();
  await once(stream, 'timeout');
  // And once more: a connection whose limit has run out once is watched on.
  await once(stream, 'timeout');
  expect(await backendOf(pool)).toBe(before);
  await expect(pool.query('select pg_sleep(60)')).rejects.toThrow('no answer within 300 ms');
  expect(errors).toEqual([]);
  await pool.end();
});

it('cuts a connection with a statement under way when it is told to', async () => {
  const { pool, cut } = openOne(60_000);
  const client = await pool.connect();
  const slept = client.query('select pg_sleep(60)');
  cut();
  await expect(slept).rejects.toThrow('Connection terminated');
  client.release(true);
  await pool.end();
});

it('a finished statement leaves no values or rows in the old generation of V8', async () => {
  const { pool } = openOne(60_000);
  const ask = async (times: number) => {
    for (let index = 0; index < times; index += 1)
      await pool.query('select $1::text as text, g as n from generate_series(1, 200) g', [`value ${index}`]);
    collect({ type: 'minor' });
    collect({ type: 'minor' });
  };
  await ask(50);
  collect();
  const before = oldBytes();
  await ask(300);
  // Their rows are 3 MiB in sum.
  expect((oldBytes() - before) / MIB).toBeLessThan(0.7);
  await pool.end();
});

function oldBytes(): number {
  const old = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space');
  return old?.space_used_size ?? 0;
}
