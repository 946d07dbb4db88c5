import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { HeardNumbers } from '../../src/domain/sequence.ts';
import { openDatabase } from '../../src/store/database.ts';
import { nameFeeds } from '../../src/store/heard/name.ts';
import { isLate, readHeard } from '../../src/store/heard/read.ts';
import { type HeardSome, readRuns, recordHeard } from '../../src/store/heard/record.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

let db: BillingDatabase;
beforeAll(async () => {
  db = await billingDatabase('heard');
});
afterAll(() => db?.drop());
beforeEach(() => db.execute('truncate heard, sequence_runs, users'));

const record = (some: readonly HeardSome[], through: Parameters<typeof recordHeard>[0] = db) =>
  recordHeard(through, some, 60_000);

const named = (sequence: string | null, everySeconds: number | null = null) =>
  nameFeeds(db.sql, [{ name: 'fs', everySeconds, sequence }]);

/** Numbers of the feed fs, such as 1-4 or 7. */
function counted(...ranges: string[]): HeardSome {
  const numbers = ranges.map((range): HeardNumbers => {
    const [first = '', last = first] = range.split('-');
    return { first: BigInt(first), last: BigInt(last), novelty: 'new' };
  });
  const records = numbers.reduce((sum, { first, last }) => sum + Number(last - first) + 1, 0);
  return { kind: 'feed', name: 'fs', agoMs: 0, records, counted: { field: 'n', numbers, beginsAnew: false } };
}

async function runs(): Promise<string[]> {
  const own = (await readRuns(db.sql, ['fs'])).get('fs') ?? [];
  return own.map(({ first, last }) => `${first}-${last}`);
}

const state = async (name: string) => (await readHeard(db.sql)).find((each) => each.name === name);

describe('who was heard of', () => {
  it('is added up over workers, and the latest counts whoever records it first', async () => {
    const heard = (agoMs: number, records: number): HeardSome => ({
      kind: 'feed',
      name: 'fs',
      agoMs,
      records,
    });
    await record([heard(1000, 5)]);
    await record([heard(3_600_000, 7)]);
    const fs = await state('fs');
    expect(fs?.records).toBe(12);
    expect(fs?.silentSeconds).toBeLessThan(60);
    expect(Date.now() - (fs?.lastAt?.getTime() ?? 0)).toBeLessThan(60_000);
  });

  it('is recorded by workers at once that know the names in another order', async () => {
    const names = Array.from({ length: 50 }, (_, index) => `feed-${index}`);
    const some = names.map((name): HeardSome => ({ kind: 'feed', name, agoMs: 0, records: 1 }));
    const turns = Array.from({ length: 20 }, (_, turn) =>
      record(turn % 2 === 0 ? some : [...some].reverse()),
    );
    await Promise.all(turns);
    expect((await readHeard(db.sql)).map(({ records }) => records)).toEqual(names.map(() => 20));
  });

  it('is late only when it is silent for longer than is expected of it', async () => {
    await named(null, 900);
    const silent = (minutes: number) =>
      db.execute(`update heard set last_at = now() - interval '${minutes} minutes',
        since = now() - interval '1 day'`);
    await silent(14);
    expect(isLate((await state('fs')) ?? expect.fail())).toBe(false);
    await silent(16);
    expect(isLate((await state('fs')) ?? expect.fail())).toBe(true);
    await named(null, null);
    expect(isLate((await state('fs')) ?? expect.fail())).toBe(false);
  });

  it('is late where it was never heard of since it is in the file', async () => {
    await named(null, 900);
    expect(await state('fs')).toMatchObject({ lastAt: null, records: 0, everySeconds: 900 });
    expect(isLate((await state('fs')) ?? expect.fail())).toBe(false);
    await db.execute(`update heard set since = now() - interval '16 minutes'`);
    await named(null, 900);
    expect(isLate((await state('fs')) ?? expect.fail())).toBe(true);
  });

  it('is not late when no worker has had it in its file for an hour, nor at once when one has it again', async () => {
    await named(null, 900);
    await db.execute(
      `update heard set since = now() - interval '1 day', named_at = now() - interval '61 minutes'`,
    );
    expect(isLate((await state('fs')) ?? expect.fail())).toBe(false);
    await named(null, 900);
    expect((await state('fs'))?.silentSeconds).toBeLessThan(60);
  });

  it('is a switch where it has an every or was heard of, and is active', async () => {
    await db.execute(`insert into users (username, password_hash, role, active, every_seconds, updated_at) values
      ('expected', '', 'system', true, 900, now() - interval '1 hour'),
      ('heard', '', 'system', true, null, now() - interval '1 hour'),
      ('unheard', '', 'system', true, null, now()),
      ('disabled', '', 'system', false, 900, now()),
      ('alice', '', 'operator', true, null, now())`);
    await record([{ kind: 'user', name: 'heard', agoMs: 0, records: 3 }]);
    const found = await readHeard(db.sql);
    expect(found.map(({ kind, name, records }) => ({ kind, name, records }))).toEqual([
      { kind: 'user', name: 'expected', records: 0 },
      { kind: 'user', name: 'heard', records: 3 },
    ]);
    expect(found.map(isLate)).toEqual([true, false]);
  });
});

describe('the numbers of a feed', () => {
  beforeEach(() => named('n'));

  it('are one run, from whichever workers and in whatever order they come', async () => {
    const other = openDatabase({
      url: db.databaseUrl,
      poolSize: 2,
      statementTimeoutMs: 20_000,
      connectTimeoutMs: 10_000,
      applicationName: 'heard of another worker',
    });
    // Each hears every other number, as two consumers of one queue do.
    const work = async (first: number, through: Parameters<typeof recordHeard>[0]) => {
      for (let number = first; number <= 60; number += 2) await record([counted(`${number}`)], through);
    };
    await Promise.all([work(1, db), work(2, other)]);
    await other.close(5000);
    expect(await runs()).toEqual(['1-60']);
    expect((await state('fs'))?.records).toBe(60);
  });

  it('leave a gap where one is missing, told when it is open for a minute, until it comes', async () => {
    await record([counted('1-4', '6-9')]);
    expect((await state('fs'))?.gaps).toEqual([]);
    await db.execute(`update sequence_runs set since = now() - interval '2 minutes'`);
    expect((await state('fs'))?.gaps).toMatchObject([{ first: 5n, last: 5n }]);
    await record([counted('11-12', '14')]);
    expect(await runs()).toEqual(['1-4', '6-9', '11-12', '14-14']);
    expect((await state('fs'))?.gaps).toMatchObject([{ first: 5n, last: 5n }]);
    await record([counted('5', '10', '13')]);
    expect(await runs()).toEqual(['1-14']);
    expect((await state('fs'))?.gaps).toEqual([]);
  });

  it('are those up to the largest that a bigint holds', async () => {
    await record([counted(`${2n ** 63n - 3n}-${2n ** 63n - 2n}`)]);
    expect(await runs()).toEqual([`${2n ** 63n - 3n}-${2n ** 63n - 2n}`]);
  });

  it('are given up where they do not count the records, until another field does', async () => {
    const steps = (from: number) => Array.from({ length: 250 }, (_, index) => `${from + index * 30}`);
    expect(await record([counted(...steps(1))])).toEqual([]);
    await db.execute(`update sequence_runs set since = now() - interval '2 minutes'`);
    expect(await record([counted('9000')])).toEqual(['fs']);
    expect(await runs()).toEqual([]);
    expect(await state('fs')).toMatchObject({ isStopped: true, gaps: [] });
    await record([counted('9030')]);
    await named('n');
    expect(await runs()).toEqual([]);
    expect((await state('fs'))?.isStopped).toBe(true);
    await named('another');
    expect((await state('fs'))?.isStopped).toBe(false);
  });

  it('begin anew with another field, and a worker that has the old file does not disturb that', async () => {
    await record([counted('1-4')]);
    await named('another');
    expect(await runs()).toEqual([]);
    await record([counted('5-9')]);
    expect(await runs()).toEqual([]);
    expect((await state('fs'))?.records).toBe(9);
  });
});
