import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Isolated } from '../../dev/stack.ts';
import { databaseReachable, openDatabase } from '../../src/store/database.ts';
import { until } from '../support/broker.ts';
import { testServices } from '../support/stack.ts';

let services: Isolated;
beforeAll(async () => {
  services = await testServices('pool-waits');
});
afterAll(() => services?.drop());

/** A pool of one connection, and how long each that asked for it has waited. */
function openWithOneConnection(url: string, connectTimeoutMs: number) {
  const waits: number[] = [];
  const database = openDatabase({
    url,
    poolSize: 1,
    statementTimeoutMs: 20_000,
    connectTimeoutMs,
    applicationName: 'pool-waits',
    onPoolWait: (milliseconds) => waits.push(milliseconds),
  });
  return { database, waits };
}

it('a pool tells how long statements and transactions waited for a connection, and how many do', async () => {
  const { database, waits } = openWithOneConnection(services.databaseUrl, 10_000);
  expect(database.poolWaiting()).toBe(0);
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const transaction = database.transaction(() => gate, { timeoutMs: 10_000 });
  await until(() => waits.length === 1);
  const statement = databaseReachable(database.sql, 10_000);
  await until(() => database.poolWaiting() === 1);
  const seenWaiting = performance.now();
  expect(waits).toHaveLength(1);
  await until(() => performance.now() > seenWaiting + 50);
  release();
  await transaction;
  expect(await statement).toBe(true);
  expect(database.poolWaiting()).toBe(0);
  expect(waits).toHaveLength(2);
  expect(waits[1]).toBeGreaterThanOrEqual(50);
  await database.close(1000);
});

it('who finds a connection idle is told not to have waited, and who comes right after to have', async () => {
  const { database, waits } = openWithOneConnection(services.databaseUrl, 10_000);
  await databaseReachable(database.sql, 10_000);
  await Promise.all([databaseReachable(database.sql, 10_000), databaseReachable(database.sql, 10_000)]);
  expect(waits.map((waited) => waited > 0)).toEqual([true, false, true]);
  await database.close(1000);
});

it('a wait in vain is told too', async () => {
  const { database, waits } = openWithOneConnection('postgresql://u:p@127.0.0.1:9/none', 1000);
  expect(await databaseReachable(database.sql, 5000)).toBe(false);
  expect(waits).toHaveLength(1);
  await database.close(1000);
});
