import { afterEach, beforeEach, expect, it } from 'vitest';
import { classifyFailure, sqlStateOf } from '../../src/store/failures.ts';
import { persist } from '../../src/store/persist/persist.ts';
import { createReadAhead } from '../../src/store/persist/read-ahead.ts';
import type { Sql, Statement } from '../../src/store/sql.ts';
import { BILLING } from '../support/billing.ts';
import { admitted, type BillingDatabase, billingDatabase, type Parameters } from '../support/persisting.ts';

let db: BillingDatabase;
let statements: number;
/** The answer to the latest statement. */
let answer: Promise<unknown>;
let now: number;
let prepare: (...calls: Parameters[]) => () => Promise<string[]>;

beforeEach(async () => {
  db = await billingDatabase('read_ahead');
  statements = 0;
  now = 0;
  const counting: Sql = <Row>(statement: Statement, values: readonly unknown[]) => {
    statements += 1;
    const rows = db.sql<Row>(statement, values);
    answer = rows;
    return rows;
  };
  const prepareEntries = createReadAhead(
    counting,
    BILLING,
    (submissions, lookup) => persist(counting, submissions, BILLING, lookup),
    () => now,
  );
  prepare = (...calls) => {
    const persistPrepared = prepareEntries(calls.map(admitted));
    return async () => (await persistPrepared()).map(({ kind }) => kind);
  };
});
afterEach(() => db.drop());

it('a batch that is prepared in time takes no more statements than another', async () => {
  const first = prepare({ uniqueid: 'u-1' });
  const second = prepare({ uniqueid: 'u-2' });
  expect(await first()).toEqual(['accepted']);
  expect(await second()).toEqual(['accepted']);
  expect(statements).toBe(4);
});

it('a call that the batch in front stored is known without asking again', async () => {
  const first = prepare({ uniqueid: 'u-1' }, { uniqueid: 'u-2' });
  const second = prepare({ uniqueid: 'u-1' }, { uniqueid: 'u-2', cost: '9' });
  expect(await first()).toEqual(['accepted', 'accepted']);
  expect(statements).toBe(3);
  expect(await second()).toEqual(['duplicate', 'conflict']);
});

it('a call that somebody else stored meanwhile is found by the statement that writes', async () => {
  const prepared = prepare({ uniqueid: 'u-1' }, { uniqueid: 'u-2' });
  await answer;
  await db.persist([{ uniqueid: 'u-1' }]);
  expect(await prepared()).toEqual(['duplicate', 'accepted']);
  expect(await db.rows('select calls::text from customers where id = 1')).toEqual([{ calls: '2' }]);
});

it('what changed since it was asked is noticed by the statement that writes, and asked again for the next try', async () => {
  const call = { uniqueid: 'u-1', cost: '10', taxes: '1' };
  const prepared = prepare(call);
  await answer;
  await db.execute('update taxes set rate = 50 where id = 1');
  const failure = await prepared().catch((error: unknown) => error);
  expect(classifyFailure(failure)).toBe('collision');
  expect(sqlStateOf(failure)).toBe('CDR01');
  expect(await prepare(call)()).toEqual(['accepted']);
  expect(await db.rows('select tax::text from cdrs')).toEqual([{ tax: '5.000000' }]);
});

it('what was asked more than a second ago is asked again: a customer may be there now', async () => {
  const prepared = prepare({ scustomer: 77 });
  await answer;
  await db.execute(`insert into customers (id, name, currency) values (77, 'new', 'USD')`);
  now = 1001;
  expect(await prepared()).toEqual(['accepted']);
});
