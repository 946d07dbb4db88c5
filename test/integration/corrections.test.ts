import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nothingHeld } from '../../src/domain/held.ts';
import { classifyFailure, unmovedRows } from '../../src/store/failures.ts';
import { dryRunCorrection, persistCorrection } from '../../src/store/persist/corrections.ts';
import { rollingBack } from '../../src/store/persist/dry-run.ts';
import { BILLING } from '../support/billing.ts';
import { asked, correct, correctionOf, expectConserved, keepOpeningBalances } from '../support/correcting.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

let db: BillingDatabase;

beforeEach(async () => {
  db = await billingDatabase('corrections');
  await keepOpeningBalances(db);
});
afterEach(() => db.drop());

const customer = (id: number) =>
  db.rows(`select trim_scale(charged)::text as charged, calls::text from customers where id = ${id}`);
const invoice = (id: number) =>
  db.rows(
    `select calls::text, trim_scale(cost)::text as cost, trim_scale(tax)::text as tax from invoices where id = ${id}`,
  );
const entries = (columns: string) =>
  db.rows(`select ${columns} from corrections order by booked_at, kind desc`);
const openInvoice = (id: number, of: number, currency: string, status = 'open') =>
  db.execute(`insert into invoices (id, customer, currency, period_start, period_end, status) values
    (${id}, ${of}, '${currency}', to_timestamp(1700100000), to_timestamp(1700200000), '${status}')`);
const NOTHING = [{ charged: '0', calls: '0' }];
const EMPTY = [{ calls: '0', cost: '0', tax: '0' }];

describe('a void', () => {
  it('takes back the call to the last digit where it was booked, whatever the rates are by now, and is booked once', async () => {
    await db.persist([{ cost: '1.5', currency: 'GBP', taxes: '1,levy,fee' }]);
    await db.execute(`update currencies set rate = rate * 1.37 where code <> 'USD'`);
    expect(await correct(db, { id: 'v-1' })).toEqual(['booked']);
    expect([await customer(1), await invoice(10)]).toEqual([NOTHING, EMPTY]);
    expect(await correct(db, { id: 'v-1' }, { id: 'v-1' })).toEqual(['duplicate', 'duplicate']);
    expect(await correct(db, { id: 'v-2' })).toEqual(['rejected uniqueid']);
    expect(await correct(db, { id: 'u-2', changes: { messages: 1 } })).toEqual(['rejected uniqueid']);
    expect(
      await entries('id, kind, follows, late::text, calls::text, invoice::text, invoice_calls::text'),
    ).toEqual([
      {
        id: 'v-1',
        kind: 'reversing',
        follows: '',
        late: 'false',
        calls: '-1',
        invoice: '10',
        invoice_calls: '-1',
      },
    ]);
    await expectConserved(db);
  });

  it('leaves a closed invoice alone: the open one in the same currency gives back, and without one the entry is late', async () => {
    await db.persist([{ cost: '1' }, { uniqueid: 'u-2', cost: '2' }]);
    await db.execute(`update invoices set status = 'closed' where id = 10`);
    const closed = await invoice(10);
    await openInvoice(12, 1, 'USD');
    expect(await correct(db, { id: 'v-1' })).toEqual(['booked']);
    await openInvoice(13, 1, 'EUR');
    expect(await correct(db, { id: 'v-2', uniqueid: 'u-2' })).toEqual(['booked']);
    expect(await entries('id, late::text, invoice::text, trim_scale(invoice_cost)::text as cost')).toEqual([
      { id: 'v-1', late: 'true', invoice: null, cost: '0' },
      { id: 'v-2', late: 'false', invoice: '13', cost: '-1.84' },
    ]);
    expect([await invoice(10), await invoice(12)]).toEqual([closed, EMPTY]);
    await expectConserved(db);
  });

  it('of a call that no invoice took takes it back before one does', async () => {
    await db.persist([
      { cost: '1', start: 1_800_000_000 },
      { uniqueid: 'u-2', cost: '1', update_invoices: 0 },
    ]);
    expect(await correct(db, { id: 'v-1' }, { id: 'v-2', uniqueid: 'u-2' })).toEqual(['booked', 'booked']);
    expect(await entries('id, late::text, invoice::text, late_entry')).toEqual([
      { id: 'v-1', late: 'false', invoice: null, late_entry: '' },
      { id: 'v-2', late: 'false', invoice: null, late_entry: null },
    ]);
    await expectConserved(db);
  });
});

describe('an update', () => {
  it('of the cost reverses and books anew on the rates and taxes of today', async () => {
    await db.persist([{ cost: '1.5', currency: 'GBP', taxes: 'VAT' }]);
    await db.execute(`update currencies set rate = 0.5 where code = 'GBP'`);
    await db.execute('update taxes set rate = 10 where id = 1');
    expect(await correct(db, { id: 'c-1', changes: { cost: '3' } })).toEqual(['booked']);
    // 3 / 0.5 = 6 USD and 10 % of it; × 0.92 in EUR.
    expect(await customer(1)).toEqual([{ charged: '6.6', calls: '1' }]);
    expect(await invoice(10)).toEqual([{ calls: '1', cost: '5.52', tax: '0.552' }]);
    expect(await entries('id, kind, follows, trim_scale(cost)::text as cost, booked_by')).toEqual([
      { id: 'c-1#reversal', kind: 'reversing', follows: '', cost: '-1.5', booked_by: 'shop' },
      { id: 'c-1', kind: 'new', follows: 'c-1#reversal', cost: '3', booked_by: 'shop' },
    ]);
    // What is in force is what is taken back next.
    expect(await correct(db, { id: 'v-1' })).toEqual(['booked']);
    expect([await customer(1), await invoice(10)]).toEqual([NOTHING, EMPTY]);
    await expectConserved(db);
  });

  it('moves a call to another customer, and its call count, onto that customer s own invoice', async () => {
    await db.persist([{ cost: '1' }]);
    const one = await correct(db, { id: 'c-1', changes: { customer: 2, currency: 'JPY', taxes: 'fee' } });
    expect(one).toEqual(['booked']);
    expect([await customer(1), await invoice(10)]).toEqual([NOTHING, EMPTY]);
    // 1 JPY and a fee of 0.4 GBP, in EUR; the only open invoice covers another time.
    expect(await customer(2)).toEqual([{ charged: '0.4719', calls: '1' }]);
    expect(await invoice(20)).toEqual([{ calls: '1', cost: '0.006077', tax: '0.465823' }]);
    expect(await correct(db, { id: 'c-2', changes: { customer: 3 } })).toEqual(['booked']);
    expect(await entries(`id, late::text, invoice::text`)).toContainEqual({
      id: 'c-2',
      late: 'true',
      invoice: null,
    });
    expect(await correct(db, { id: 'v-1' })).toEqual(['booked']);
    expect(await entries(`id, late_entry`)).toContainEqual({ id: 'v-1', late_entry: 'c-2' });
    expect([await customer(2), await customer(3), await invoice(20)]).toEqual([NOTHING, NOTHING, EMPTY]);
    await expectConserved(db);
  });

  it('of messages and time alone moves no money, and what follows builds on it', async () => {
    await db.persist([{ cost: '1' }]);
    const before = [await customer(1), await invoice(10)];
    await db.execute(`update customers set currency = 'GBP' where id = 1`);
    expect(await correct(db, { id: 'c-1', changes: { messages: 3, time: 60 } })).toEqual(['booked']);
    expect([await customer(1), await invoice(10)]).toEqual(before);
    await db.execute(`update customers set currency = 'USD' where id = 1`);
    expect(await correct(db, { id: 'c-2', changes: { cost: '2', time: 0 } })).toEqual(['booked']);
    expect(await entries('id, follows, messages::text, time::text, trim_scale(cost)::text as cost')).toEqual([
      { id: 'c-1', follows: '', messages: '3', time: '60', cost: '0' },
      { id: 'c-2#reversal', follows: 'c-1', messages: '3', time: '60', cost: '-1' },
      { id: 'c-2', follows: 'c-2#reversal', messages: '3', time: '0', cost: '2' },
    ]);
    expect(await customer(1)).toEqual([{ charged: '2', calls: '1' }]);
    await expectConserved(db);
  });

  it('that names what does not exist is refused for it, and books nothing', async () => {
    await db.persist([{ cost: '1' }]);
    const changes = { customer: 9, currency: 'XXX', taxes: '7' };
    expect(await correct(db, { id: 'c-1', changes })).toEqual(['rejected customer currency taxes']);
    expect(await entries('id')).toEqual([]);
    expect(await db.rows('select reason, uniqueid from dead_letters')).toHaveLength(1);
  });
});

describe('refused is', () => {
  it('a correction of a call that is unknown, pruned, or of a customer with another currency', async () => {
    expect(await correct(db, { id: 'v-0' })).toEqual(['unknown call']);
    await db.persist([{ cost: '1' }, { uniqueid: 'u-2', scustomer: 2 }]);
    await db.execute(`insert into past_calls values ('u-3', '\\x00')`);
    await db.execute(`update customers set currency = 'GBP' where id = 1`);
    await db.execute('delete from customers where id = 2');
    const all = ['u-1', 'u-2', 'u-3'].map((uniqueid) => ({ id: `v-${uniqueid}`, uniqueid }));
    expect(await correct(db, ...all)).toEqual(all.map(() => 'rejected uniqueid'));
    expect(await entries('id')).toEqual([]);
    expect(
      await db.rows(`select reason, responses -> 0 ->> 'code' as code, responses -> 0 ->> 'key' as key
        from dead_letters order by id limit 2`),
    ).toEqual([
      { reason: 'rejected', code: '404', key: 'uniqueid' },
      { reason: 'rejected', code: '400', key: 'uniqueid' },
    ]);
  });

  it('an id that another correction has, of whatever call', async () => {
    await db.persist([{ cost: '1' }, { uniqueid: 'u-2', cost: '1' }]);
    expect(await correct(db, { id: 'c-1', changes: { cost: '2', taxes: '1,levy' } })).toEqual(['booked']);
    expect(await correct(db, { id: 'c-1', changes: { cost: '2', taxes: 'levy, 1' } })).toEqual(['duplicate']);
    expect(await correct(db, { id: 'c-1', changes: { cost: '3' } })).toEqual(['rejected message_id']);
    expect(await correct(db, { id: 'c-1', uniqueid: 'u-2' })).toEqual(['rejected message_id']);
    await expectConserved(db);
  });

  it.each([
    ['machine', { machines: new Set(['m-2']), customers: null }, {}],
    ['customer', { machines: null, customers: new Set([2]) }, {}],
    ['new customer', { machines: null, customers: new Set([1]) }, { customer: 2 }],
  ])('what lies outside of its sender s confinement by its %s', async (_, confinement, changes) => {
    await db.persist([{ cost: '1' }]);
    const change = { id: 'c-1', changes: { cost: '2', ...changes } };
    expect(await correct(db, { ...change, confinement })).toEqual(['forbidden']);
    expect(await correct(db, change)).toEqual(['booked']);
    expect(await correct(db, { ...change, confinement })).toEqual(['duplicate']);
  });

  it('the second of two corrections of a call in one batch, also when it is tried again', async () => {
    await db.persist([{ cost: '1' }]);
    const second = asked({ id: 'c-2', changes: { cost: '3' } });
    expect(await correct(db, { id: 'c-1', changes: { cost: '2' } }, { id: 'v-1' })).toEqual([
      'booked',
      'rejected uniqueid',
    ]);
    second.isBehind = true;
    expect(await persistCorrection(db.sql, second, { billing: BILLING, isHeld: nothingHeld })).toMatchObject({
      kind: 'rejected',
    });
    await expectConserved(db);
  });

  it('one of two corrections that two workers book at the same time', async () => {
    await db.persist([{ cost: '1' }]);
    const all = [{ id: 'c-1', changes: { cost: '2' } }, { id: 'v-1' }, { id: 'c-1', changes: { cost: '2' } }];
    let go = () => {};
    const ready = new Promise<void>((resolve) => {
      go = resolve;
    });
    let waiting = 0;
    /** Books only when all have read what is in force. */
    const sql: typeof db.sql = async (statement, values) => {
      if (statement.name === 'persist.book-correction') {
        waiting += 1;
        if (waiting === all.length) go();
        await ready;
      }
      return await db.sql(statement, values);
    };
    const context = { billing: BILLING, isHeld: nothingHeld };
    const results = await Promise.all(all.map((one) => persistCorrection(sql, asked(one), context)));
    const kinds = results.map(({ kind }) => kind);
    expect([
      ['booked', 'rejected', 'duplicate'],
      ['duplicate', 'rejected', 'booked'],
      ['rejected', 'booked', 'rejected'],
    ]).toContainEqual(kinds);
    await expectConserved(db);
  });
});

describe('a correction that cannot be booked now', () => {
  it('waits for a customer whose row is held, and touches nothing', async () => {
    await db.persist([{ cost: '1' }]);
    const held = { kind: 'held', cause: 'lock', row: 'customer 1', why: 'somebody' } as const;
    const submission = asked({ id: 'v-1' });
    const context = { billing: BILLING, isHeld: (row: string) => (row === 'customer 1' ? held : undefined) };
    expect(await persistCorrection(db.sql, submission, context)).toEqual(held);
    expect(submission.moves).toEqual({ customers: [1], invoices: [10] });
    expect(await entries('id')).toEqual([]);
  });

  it('names the row that a trigger keeps as it is', async () => {
    await db.persist([{ cost: '1' }]);
    await db.execute(`create function veto() returns trigger language plpgsql as 'begin return null; end'`);
    await db.execute('create trigger veto before update on invoices for each row execute function veto()');
    const error = await correct(db, { id: 'v-1' }).catch((failure: unknown) => failure);
    expect([classifyFailure(error), unmovedRows(error)]).toEqual([
      'collision',
      { of: 'invoice', ids: ['10'] },
    ]);
    await db.execute('drop trigger veto on invoices');
    expect(await correct(db, { id: 'v-1' })).toEqual(['booked']);
    await expectConserved(db);
  });

  it('is tried again where its terms have changed since they were read', async () => {
    await db.persist([{ cost: '1' }]);
    let isRead = false;
    const sql: typeof db.sql = async (statement, values) => {
      if (statement.name === 'persist.book-correction' && !isRead) {
        isRead = true;
        await db.execute(`update invoices set status = 'closed' where id = 10`);
      }
      return await db.sql(statement, values);
    };
    const context = { billing: BILLING, isHeld: nothingHeld };
    const error = await persistCorrection(sql, asked({ id: 'v-1' }), context).catch(
      (failure: unknown) => failure,
    );
    expect(classifyFailure(error)).toBe('collision');
    expect(await correct(db, { id: 'v-1' })).toEqual(['booked']);
    expect(await entries('late::text')).toEqual([{ late: 'true' }]);
  });
});

it('a dry run says what would be booked, and books nothing', async () => {
  await db.persist([{ cost: '1' }]);
  const tried = await rollingBack(
    db,
    (sql) => dryRunCorrection(sql, correctionOf({ id: 'c-1', changes: { cost: '2' } }), BILLING),
    5000,
  );
  expect(tried).toMatchObject({
    outcome: { kind: 'booked', bill: { entry: 'c-1', charged: '2' } },
    follows: '',
  });
  expect(tried.entries.map(({ id, invoice }) => [id, invoice])).toEqual([
    ['c-1#reversal', 10],
    ['c-1', 10],
  ]);
  expect(await entries('id')).toEqual([]);
  await expectConserved(db);
});
