import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Sql, Statement } from '../../src/store/sql.ts';
import { type Bucket, HOURS, MINUTES, Throughput } from '../../src/store/throughput.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

let db: BillingDatabase;

beforeAll(async () => {
  db = await billingDatabase('throughput');
});

beforeEach(async () => {
  await db.execute('delete from cdrs');
  await db.execute('delete from dead_letters');
});

afterAll(async () => {
  await db?.drop();
});

/** Calls that were stored so long ago. */
async function storedAgo(age: string, count: number): Promise<void> {
  const ids = Array.from({ length: count }, () => randomUUID());
  const outcomes = await db.persist(
    ids.map((uniqueid) => ({ uniqueid, machine: 'm', start: 1_700_000_000, scustomer: 1, cost: '1' })),
  );
  expect(outcomes.map(({ kind }) => kind)).toEqual(ids.map(() => 'accepted'));
  await db.execute(
    `update cdrs set received_at = now() - interval '${age}' where uniqueid in (${ids.map((id) => `'${id}'`)})`,
  );
}

/** In neighbouring ones, since a minute may end between storing and reading. */
const storedIn = (buckets: readonly Bucket[]) => buckets.reduce((sum, { stored }) => sum + (stored ?? 0), 0);

/** The database as it is, and how many statements of one name it was asked. */
function counting(name: string): { sql: Sql; asked: () => number } {
  let asked = 0;
  return {
    sql: <Row>(statement: Statement, values: readonly unknown[]) => {
      if (statement.name === name) asked += 1;
      return db.sql<Row>(statement, values);
    },
    asked: () => asked,
  };
}

describe('calls and dead letters by minute', () => {
  it('are those of the last sixty minutes, each in its own', async () => {
    await storedAgo('10 minutes', 3);
    await storedAgo('0 seconds', 2);
    await storedAgo('61 minutes', 5);
    await db.execute(`insert into dead_letters (reason, body, digest, last_dead_at)
      select 'rejected', '{}', sha256(n::text::bytea), now() - interval '10 minutes' from generate_series(1, 4) n`);
    const minutes = await new Throughput(db.sql).minutes();
    expect(minutes).toHaveLength(MINUTES);
    expect(storedIn(minutes.slice(-12, -10))).toBe(3);
    expect(minutes.slice(-12, -10).reduce((sum, { died }) => sum + died, 0)).toBe(4);
    expect(storedIn(minutes.slice(-2))).toBe(2);
    expect(storedIn(minutes)).toBe(5);
  });

  it('are counted once where they can no longer change', async () => {
    await storedAgo('10 minutes', 3);
    const throughput = new Throughput(db.sql);
    await throughput.minutes();
    await storedAgo('10 minutes', 1);
    await storedAgo('0 seconds', 2);
    const minutes = await throughput.minutes();
    // One that was moved there afterwards shows that the minute was not read again.
    expect(storedIn(minutes.slice(-12, -9))).toBe(3);
    expect(storedIn(minutes.slice(-2))).toBe(2);
  });

  it('include a call whose transaction was committed a minute late', async () => {
    const throughput = new Throughput(db.sql);
    await throughput.minutes();
    await storedAgo('70 seconds', 1);
    const minutes = await throughput.minutes();
    expect(storedIn(minutes.slice(-3))).toBe(1);
  });
});

describe('calls and dead letters by hour', () => {
  it('are those of the last day, the current hour included', async () => {
    await storedAgo('0 seconds', 2);
    await storedAgo('5 hours', 3);
    await storedAgo('25 hours', 7);
    const hours = await new Throughput(db.sql).hours();
    expect(hours).toHaveLength(HOURS);
    expect(storedIn(hours.slice(-7, -5))).toBe(3);
    expect(storedIn(hours.slice(-2))).toBe(2);
    expect(storedIn(hours)).toBe(5);
  });

  it('are counted once each, but for those that may still change', async () => {
    const { sql, asked } = counting('throughput.stored');
    const throughput = new Throughput(sql);
    await throughput.hours();
    const first = asked();
    expect(first).toBeGreaterThanOrEqual(HOURS);
    await throughput.hours();
    expect(asked() - first).toBeLessThanOrEqual(2);
  });

  it('are left for the next time where counting takes long, the oldest ones', async () => {
    let isSlow = true;
    const throughput = new Throughput(async <Row>(statement: Statement, values: readonly unknown[]) => {
      const rows = await db.sql<Row>(statement, values);
      if (isSlow && statement.name === 'throughput.stored') await db.rows('select pg_sleep(0.7)::text');
      return rows;
    });
    const some = await throughput.hours();
    expect(some.at(-1)?.stored).toBe(0);
    expect(some.at(-2)?.stored).toBe(0);
    expect(some[0]?.stored).toBeNull();
    isSlow = false;
    const all = await throughput.hours();
    expect(all.map(({ stored }) => stored)).toEqual(Array(HOURS).fill(0));
  });
});
