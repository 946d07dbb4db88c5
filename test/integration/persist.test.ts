import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { classifyFailure, sqlStateOf } from '../../src/store/failures.ts';
import { persist } from '../../src/store/persist/persist.ts';
import type { Sql } from '../../src/store/sql.ts';
import { BILLING } from '../support/billing.ts';
import { admitted, type BillingDatabase, between, billingDatabase } from '../support/persisting.ts';

let db: BillingDatabase;

beforeEach(async () => {
  db = await billingDatabase('persist');
});
afterEach(() => db.drop());

async function expectStale(persisting: Promise<unknown>): Promise<void> {
  const failure = await persisting.catch((error: unknown) => error);
  expect(sqlStateOf(failure)).toBe('CDR01');
  expect(classifyFailure(failure)).toBe('collision');
}

const kinds = (outcomes: readonly { kind: string }[]) => outcomes.map(({ kind }) => kind);
const customer = (id: number) =>
  db.rows(`select balance::text, charged::text, calls::text from customers where id = ${id}`);
const invoice = (id: number) =>
  db.rows(`select calls::text, cost::text, tax::text, total::text from invoices where id = ${id}`);

describe('a call', () => {
  it('is stored with its charge, and balance and open invoice move by it', async () => {
    const outcomes = await db.persist([{ cost: '1.5', currency: 'GBP', taxes: '1,levy', peer: 1 }]);
    expect(kinds(outcomes)).toEqual(['accepted']);
    // Tax: 1.5 × 20 % = 0.3, and 0.05 USD = 0.0395 GBP. In USD: 1.5 / 0.79 = 1.898734, 0.3395 / 0.79 = 0.429747.
    expect(await db.rows('select tax::text, charged::text, invoice::text, peer::text from cdrs')).toEqual([
      { tax: '0.339500', charged: '2.328481', invoice: '10', peer: '1' },
    ]);
    expect(await customer(1)).toEqual([{ balance: '97.671519', charged: '2.328481', calls: '1' }]);
    // In EUR: 1.5 × 0.92 / 0.79 = 1.746835, 0.3395 × 0.92 / 0.79 = 0.395367.
    expect(await invoice(10)).toEqual([{ calls: '1', cost: '1.746835', tax: '0.395367', total: '2.142202' }]);
  });

  it('moves nothing where it says so, and is stored all the same', async () => {
    const still = { cost: '1.5', update_balance: 0, update_invoices: 0 };
    expect(kinds(await db.persist([still, { ...still, uniqueid: 'u-2', invoice: 11 }]))).toEqual([
      'accepted',
      'accepted',
    ]);
    expect(await customer(1)).toEqual([{ balance: '100.000000', charged: '0.000000', calls: '0' }]);
    expect(await invoice(10)).toEqual([{ calls: '0', cost: '0.000000', tax: '0.000000', total: '0.000000' }]);
    expect(
      await db.rows('select uniqueid, invoice::text, charged::text, invoice_cost::text from cdrs order by 1'),
    ).toEqual([
      { uniqueid: 'u-1', invoice: null, charged: '0.000000', invoice_cost: '0.000000' },
      { uniqueid: 'u-2', invoice: '11', charged: '0.000000', invoice_cost: '0.000000' },
    ]);
  });

  it('is cancelled to the last digit by its credit', async () => {
    const call = { cost: '0.333333', currency: 'JPY', taxes: '1,2' };
    await db.persist([call, { ...call, uniqueid: 'credit', cost: '-0.333333' }]);
    expect(await customer(1)).toEqual([{ balance: '100.000000', charged: '0.000000', calls: '2' }]);
    expect(await invoice(10)).toEqual([{ calls: '2', cost: '0.000000', tax: '0.000000', total: '0.000000' }]);
  });

  it('that only asks changes nothing, whatever the answer', async () => {
    const outcomes = await db.persist([
      { validation: 1 },
      { validation: 1, scustomer: 99 },
      { validation: 1, cost: 'x' },
    ]);
    expect(kinds(outcomes)).toEqual(['validated', 'rejected', 'rejected']);
    expect(
      await db.rows(
        'select (select count(*) from cdrs)::text a, (select count(*) from dead_letters)::text b',
      ),
    ).toEqual([{ a: '0', b: '0' }]);
  });

  it('names everything that does not exist, at once', async () => {
    const [outcome] = await db.persist([
      { scustomer: 98, dcustomer: 99, peer: 9, currency: 'XXX', taxes: '7', invoice: 77 },
    ]);
    const keys = outcome?.kind === 'rejected' ? outcome.errors.map(({ key }) => key) : [];
    expect(keys).toEqual(['scustomer', 'dcustomer', 'peer', 'currency', 'taxes', 'invoice']);
  });

  it.each([
    ['closed', { invoice: 11 }],
    ["another customer's", { invoice: 20 }],
    ["another customer's, even if nothing moves", { invoice: 20, update_invoices: 0 }],
  ])('is refused when it names an invoice that is %s', async (_, call) => {
    const [outcome] = await db.persist([call]);
    expect(outcome).toMatchObject({ kind: 'rejected', errors: [{ key: 'invoice' }] });
  });

  it('that holds what separates values on their way to the database fails alone, and nothing of it is stored', async () => {
    // No message gets here: the contract's texts hold no control character. The database must not trust that.
    const broken = admitted({ note: 'one' });
    if (broken.kind !== 'call') throw new Error('expected a call');
    broken.call.cdr.note = 'one\ttwo';
    const error = await persist(db.sql, [broken], BILLING).catch((failure: unknown) => failure);
    expect(classifyFailure(error)).toBe('message');
    expect(await db.rows('select uniqueid from cdrs')).toEqual([]);
  });

  it('is refused for an amount that fits no column', async () => {
    await db.execute(`update currencies set rate = 0.0000000001 where code = 'EUR'`);
    const [outcome] = await db.persist([{ cost: '999999999999', currency: 'EUR', update_invoices: 0 }]);
    expect(outcome).toMatchObject({ kind: 'rejected', errors: [{ key: 'cost' }] });
  });
});

describe('the same uniqueid again', () => {
  it('is a duplicate after its invoice closed, its tax vanished, its rate moved and its customer left', async () => {
    const call = { cost: '1', currency: 'EUR', taxes: 'VAT', peer: 1, invoice: 10 };
    await db.persist([call]);
    await db.execute(`update invoices set status = 'closed'`);
    await db.execute('delete from taxes');
    await db.execute('delete from peers');
    await db.execute(`update currencies set rate = rate * 2 where code <> 'USD'`);
    await db.execute('delete from customers where id <> 1');
    expect(kinds(await db.persist([call, { ...call, validation: 1 }]))).toEqual(['duplicate', 'validated']);
    expect(await customer(1)).toMatchObject([{ calls: '1' }]);
  });

  it('with other content is a conflict that says what differs, within a batch and after it', async () => {
    const outcomes = await db.persist([{ cost: '1' }, { cost: '1.0' }, { cost: '2', note: 'n' }]);
    expect(kinds(outcomes)).toEqual(['accepted', 'duplicate', 'conflict']);
    expect(kinds(await db.persist([{ cost: '2', note: 'n' }, { cost: 1 }]))).toEqual([
      'conflict',
      'duplicate',
    ]);
    const deadLetters = await db.prisma.deadLetter.findMany();
    expect(deadLetters).toMatchObject([
      {
        reason: 'conflict',
        uniqueid: 'u-1',
        deaths: 2,
        differences: [
          { parameter: 'cost', stored: '1', received: '2' },
          { parameter: 'note', stored: '', received: 'n' },
        ],
      },
    ]);
    expect(await customer(1)).toMatchObject([{ charged: '1.000000', calls: '1' }]);
  });

  it('at many workers at once is stored and charged once', async () => {
    const calls = Array.from({ length: 40 }, (_, index) => ({ uniqueid: `u-${index % 20}`, cost: '1' }));
    const workers = await Promise.all(Array.from({ length: 8 }, () => db.persist(calls)));
    const all = workers.flat().map(({ kind }) => kind);
    expect(all.filter((kind) => kind === 'accepted')).toHaveLength(20);
    expect(all.filter((kind) => kind === 'duplicate')).toHaveLength(300);
    expect(await customer(1)).toEqual([{ balance: '80.000000', charged: '20.000000', calls: '20' }]);
    expect(await invoice(10)).toMatchObject([{ calls: '20' }]);
  });
});

describe('what changes between reading and writing', () => {
  it.each([
    ['a closed invoice', `update invoices set status = 'closed' where id = 10`],
    ['a customer that is gone', 'delete from customers where id = 1'],
    ['a customer with another currency', `update customers set currency = 'EUR' where id = 1`],
    ['a currency rate', `update currencies set rate = 2 where code = 'EUR'`],
    ['a tax that is gone', 'delete from taxes where id = 1'],
    ['a tax rate', 'update taxes set rate = 21 where id = 1'],
    ['the currency of a tax', `update taxes set currency = 'JPY' where id = 1`],
    ['a tax without a currency any more', 'update taxes set currency = null where id = 3'],
    ['the rate of a tax’s currency', `update currencies set rate = 2 where code = 'GBP'`],
    ['a peer that is gone', 'delete from peers where id = 1'],
  ])('is seen by the statement that writes: %s', async (_, change) => {
    const calls = [{ cost: '1', currency: 'EUR', taxes: '1,3', peer: 1 }];
    const stale = db.persist(
      calls,
      between(db.sql, () => db.execute(change)),
    );
    await expectStale(stale);
    expect(await db.rows('select uniqueid from cdrs')).toEqual([]);
    expect(await db.rows(`select id::text from customers where charged <> 0 or calls <> 0`)).toEqual([]);
  });

  it('is seen where an invoice was opened that takes the call', async () => {
    const open = () =>
      db.execute(`insert into invoices (id, customer, currency, period_start, period_end, status)
        values (30, 3, 'JPY', to_timestamp(0), to_timestamp(1800000000), 'open')`);
    const stale = db.persist([{ scustomer: 3, cost: '1' }], between(db.sql, open));
    await expectStale(stale);
    expect(kinds(await db.persist([{ scustomer: 3, cost: '1' }]))).toEqual(['accepted']);
    expect(await invoice(30)).toMatchObject([{ calls: '1', cost: '151.400000' }]);
  });
});

describe('dead letters', () => {
  it('are one row for the same reason and content, its deaths counted, without the password', async () => {
    const wrong = { cost: 'x' };
    await db.persist([wrong, wrong, { auth_password: 'wrong-canary' }, { auth_username: 'auditor' }]);
    await db.persist([wrong]);
    const deadLetters = await db.prisma.deadLetter.findMany({ orderBy: { id: 'asc' } });
    expect(deadLetters.map(({ reason, deaths, status }) => [reason, deaths, status]).sort()).toEqual([
      ['forbidden', 1, 'dead'],
      ['rejected', 3, 'dead'],
      ['unauthenticated', 1, 'dead'],
    ]);
    expect(
      JSON.stringify(deadLetters, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
    ).not.toMatch(/wrong-canary|right/);
  });

  it('that were resolved open again when the same message dies again; discarded ones stay discarded', async () => {
    await db.persist([{ cost: 'x' }, { cost: 'y' }]);
    await db.execute(
      `update dead_letters set status = case when body like '%"x"%' then 'resolved' else 'discarded' end`,
    );
    await db.persist([{ cost: 'x' }, { cost: 'y' }]);
    expect(await db.rows('select status, deaths::text from dead_letters order by status')).toEqual([
      { status: 'dead', deaths: '2' },
      { status: 'discarded', deaths: '2' },
    ]);
  });
});

describe('the work of a batch', () => {
  it('is two statements, however many calls it holds', async () => {
    let statements = 0;
    const counting: Sql = (statement, values) => {
      statements += 1;
      return db.sql(statement, values);
    };
    await db.persist(
      Array.from({ length: 200 }, (_, index) => ({
        uniqueid: `u-${index}`,
        cost: index % 7 === 0 ? 'x' : '1',
      })),
      counting,
    );
    expect(statements).toBe(2);
  });
});
