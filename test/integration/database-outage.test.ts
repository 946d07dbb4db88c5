import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../../dev/stack.ts';
import {
  classifyFailure,
  type Database,
  databaseReachable,
  describeFailure,
  expectAnswer,
  openDatabase,
} from '../../src/store/database.ts';

let server: PostgresServer;
let database: Database;
let poolErrors: string[];

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(async () => {
  await server.remove();
});

beforeEach(() => {
  poolErrors = [];
  database = open(2);
});

afterEach(async () => {
  await database.close(1000);
});

function open(poolSize: number): Database {
  return openDatabase({
    url: server.url,
    poolSize,
    statementTimeoutMs: 1000,
    connectTimeoutMs: 1000,
    applicationName: 'outage test',
    onPoolError: (description) => poolErrors.push(description),
  });
}

/** What a statement rejects with, that the server is busy with when this resolves. */
async function failing(): Promise<{ error: Promise<unknown> }> {
  const error = database.prisma.$queryRaw`select pg_sleep(30)::text`.then(
    () => 'nothing failed',
    (failure: unknown) => failure,
  );
  await database.prisma.$queryRaw`select 1`;
  return { error };
}

test.each(['clean', 'hard'] as const)(
  'a %s stop of the server is an outage, and its start the end of it',
  async (mode) => {
    const { error } = await failing();
    await server.stop(mode);
    try {
      expect(classifyFailure(await error)).toBe('outage');
      expect(describeFailure(await error)).not.toContain('\n');
      expect(await databaseReachable(database.sql, 1000)).toBe(false);
    } finally {
      await server.start();
    }
    expect(await databaseReachable(database.sql, 5000)).toBe(true);
  },
);

test('idle connections that break are told of, and replaced', async () => {
  await database.prisma.$queryRaw`select 1`;
  await server.restart('clean');
  expect(await databaseReachable(database.sql, 5000)).toBe(true);
  expect(poolErrors).toContainEqual(expect.stringMatching(/57P01|terminated/));
});

test('a server that goes silent is an outage a few seconds after the statement timeout', async () => {
  await database.prisma.$queryRaw`select 1`;
  await server.pause();
  try {
    const started = performance.now();
    const error = await database.prisma.$queryRaw`select 2`.then(
      () => 'nothing failed',
      (failure: unknown) => failure,
    );
    expect(classifyFailure(error)).toBe('outage');
    expect(describeFailure(error)).toBe('Connection terminated: no answer within 6000 ms');
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(await databaseReachable(database.sql, 200)).toBe(false);
  } finally {
    await server.resume();
  }
  expect(await databaseReachable(database.sql, 5000)).toBe(true);
});

test('a server that goes silent within a transaction is an outage too, and its connection does not stay occupied', async () => {
  const one = open(1);
  const failure = await one
    .transaction(
      async (sql) => {
        await expectAnswer(sql);
        await server.pause();
        await expectAnswer(sql);
      },
      { timeoutMs: 30_000 },
    )
    .then(
      () => 'nothing failed',
      (error: unknown) => error,
    )
    .finally(() => server.resume());
  expect(describeFailure(failure)).toBe('Connection terminated: no answer within 6000 ms');
  expect(classifyFailure(failure)).toBe('outage');
  expect(await databaseReachable(one.sql, 5000)).toBe(true);
  await one.close(1000);
});

test('a server that goes silent before it has read the whole statement is an outage after twice that time at most', async () => {
  await database.prisma.$queryRaw`select 1`;
  await server.pause();
  const started = performance.now();
  const failure = await database.prisma.$queryRaw`select length(${'x'.repeat(50_000_000)})`
    .then(
      () => 'nothing failed',
      (error: unknown) => error,
    )
    .finally(() => server.resume());
  expect(classifyFailure(failure)).toBe('outage');
  expect(performance.now() - started).toBeLessThan(15_000);
  expect(await databaseReachable(database.sql, 5000)).toBe(true);
});
