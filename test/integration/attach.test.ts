import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AttachOrder, attachLate, customersIn, problemOfInvoice } from '../../src/calls/attach.ts';
import { nothingHeld } from '../../src/domain/held.ts';
import { countUninvoiced } from '../../src/store/late/count.ts';
import { type LateFilter, listLate, sumLate } from '../../src/store/late/list.ts';
import { planAttaching } from '../../src/store/late/plan.ts';
import { persistCorrection } from '../../src/store/persist/corrections.ts';
import { reconcile } from '../../src/store/reconcile.ts';
import { BILLING } from '../support/billing.ts';
import { asked, correct } from '../support/correcting.ts';
import { type BillingDatabase, billingDatabase, type Parameters } from '../support/persisting.ts';

let db: BillingDatabase;
beforeEach(async () => {
  db = await billingDatabase('attach');
});
afterEach(() => db.drop());

/** Before any invoice. */
const LATE = { start: 1, end: 1 };
const late = (uniqueid: string, more: Parameters = {}) => ({ uniqueid, cost: '1', ...LATE, ...more });

const order = (customer: number | null, invoice: number | null): AttachOrder => ({
  ...BILLING,
  customer,
  invoice,
  by: 'boss',
  why: 'they came late',
});

async function attach(wanted: AttachOrder, stop = new AbortController(), onProgress = (_: number) => {}) {
  const plan = await planAttaching(db.sql, wanted);
  return await attachLate(wanted, customersIn(plan), { database: db, stop: stop.signal, onProgress });
}

const invoices = async () =>
  (
    await db.rows(`select id::text, calls::text, trim_scale(cost)::text as cost, trim_scale(tax)::text as tax
      from invoices where calls <> 0 or total <> 0 order by invoices.id`)
  ).map(({ id, calls, cost, tax }) => `${id}: ${calls}, ${cost} + ${tax}`);

async function expectProved(uninvoiced: number): Promise<void> {
  const { proofs, uninvoiced: found } = await reconcile(db);
  expect(proofs.filter(({ drift }) => drift > 0)).toEqual([]);
  expect(found.reduce((sum, { calls, corrections }) => sum + calls + corrections, 0)).toBe(uninvoiced);
}

describe('attaching', () => {
  it('puts late calls and late corrections on an invoice, on the rates of today, each once', async () => {
    await db.persist([
      late('a', { cost: '10', taxes: '1' }),
      late('b', { currency: 'GBP' }),
      late('c', { scustomer: 2 }),
    ]);
    // A void that no open invoice takes, and an update that makes both its entries late.
    await db.persist([
      { uniqueid: 'd', cost: '4' },
      { uniqueid: 'e', cost: '5' },
    ]);
    await db.execute(`update invoices set status = 'closed' where id = 10`);
    expect(
      await correct(db, { id: 'v', uniqueid: 'd' }, { id: 'u', uniqueid: 'e', changes: { cost: '6' } }),
    ).toEqual(['booked', 'booked']);
    await db.execute(`insert into invoices (id, customer, currency, period_start, period_end)
      values (12, 1, 'USD', to_timestamp(1800000000), to_timestamp(1800001000))`);
    await db.execute(`update currencies set rate = 0.5 where code in ('GBP', 'EUR')`);
    await expectProved(6);

    const plan = await planAttaching(db.sql, order(1, 12));
    expect(plan).toEqual({
      shares: [{ customer: 1, invoice: 12, currency: 'USD', calls: 2, corrections: 3, cost: '9', tax: '2' }],
      leftOut: [],
    });
    expect(await attach(order(1, 12))).toEqual({ attached: 5, end: { kind: 'done' } });
    // 10 + 1 / 0.5 - 4 - 5 + 6: two calls and the new entry, less the two that were taken back.
    expect((await invoices()).at(-1)).toBe('12: 1, 9 + 2');
    await expectProved(1);
    const [entry] =
      await db.rows(`select kind, follows, late_entry, booked_by, why, charged::text, currency_rate::text
      from corrections where uniqueid = 'b'`);
    expect(entry).toEqual({
      ...{ kind: 'attaching', follows: '', late_entry: '', booked_by: 'boss', why: 'they came late' },
      ...{ charged: '0.000000', currency_rate: '0.5' },
    });
    expect(
      await db.rows(`select who, program, detail from activity where act = 'late calls attached'`),
    ).toEqual([
      {
        who: 'boss',
        program: 'command',
        detail: { customer: 1, invoice: 12, attached: 5, why: 'they came late' },
      },
    ]);

    expect(await attach(order(1, 12))).toEqual({ attached: 0, end: { kind: 'done' } });
    // What was attached stands there: a void takes it back from there.
    expect(await correct(db, { id: 'v-a', uniqueid: 'a' })).toEqual(['booked']);
    expect((await invoices()).at(-1)).toBe('12: 0, -1 + 0');
    await expectProved(1);
  });

  it('to the open invoice of each customer takes the one that covers the call, else the earliest', async () => {
    await db.persist([
      late('a'),
      late('b', { start: 1_500_000_500, end: 1_500_000_500 }),
      late('c', { scustomer: 2 }),
      late('d', { scustomer: 3 }),
    ]);
    await db.execute(`insert into invoices (id, customer, currency, period_start, period_end) values
      (9, 1, 'USD', to_timestamp(1500000000), to_timestamp(1500001000)),
      (8, 1, 'USD', to_timestamp(1400000000), to_timestamp(1400001000))`);
    expect((await planAttaching(db.sql, order(null, null))).leftOut).toEqual([
      { customer: 3, why: 'no open invoice', currency: 'USD', count: 1, cost: '1', tax: '0' },
    ]);
    expect(await attach(order(null, null))).toEqual({ attached: 3, end: { kind: 'done' } });
    expect(await invoices()).toEqual(['8: 1, 1 + 0', '9: 1, 1 + 0', '20: 1, 0.92 + 0']);
    await expectProved(1);
  });

  it('leaves out what it cannot convert, and goes on with the rest', async () => {
    await db.persist([late('a', { currency: 'GBP' }), late('b'), late('c', { cost: '999999999999' })]);
    await db.execute(`delete from currencies where code = 'GBP'`);
    await db.execute(`update currencies set rate = 100000000 where code = 'EUR'`);
    const { leftOut } = await planAttaching(db.sql, order(1, 10));
    expect(leftOut.map(({ why, count }) => `${count} ${why}`).sort()).toEqual([
      '1 a currency without a rate',
      '1 an amount too large',
    ]);
    expect(await attach(order(1, 10))).toMatchObject({ attached: 1 });
    await expectProved(2);
  });

  it('of a call that is voided at this moment has the void take it back from there', async () => {
    await db.persist([late('a')]);
    let attached = 0;
    /** Attaches when the void has read what is in force, and has not booked yet. */
    const sql: typeof db.sql = async (statement, values) => {
      if (statement.name === 'persist.book-correction' && attached === 0)
        attached = (await attach(order(1, 10))).attached;
      return await db.sql(statement, values);
    };
    const context = { billing: BILLING, isHeld: nothingHeld };
    const result = await persistCorrection(sql, asked({ id: 'v', uniqueid: 'a' }), context);
    expect({ attached, result: result.kind }).toEqual({ attached: 1, result: 'booked' });
    expect((await invoices())[0]).toBeUndefined();
    await expectProved(0);
  });

  const many = (count: number) =>
    Array.from({ length: count }, (_, index) => late(`m-${index}`, { taxes: '1' }));

  it('two at once attach everything once, even to different invoices and beside a void', async () => {
    await db.persist(many(1000));
    await db.execute(`insert into invoices (id, customer, currency, period_start, period_end)
      values (12, 1, 'USD', to_timestamp(1800000000), to_timestamp(1800001000))`);
    const voided = ['m-0', 'm-500', 'm-999'].map((uniqueid) =>
      correct(db, { id: `v-${uniqueid}`, uniqueid }),
    );
    const both = await Promise.all([attach(order(1, 10)), attach(order(1, 12)), attach(order(1, null))]);
    const answers = (await Promise.all(voided)).flat();
    expect(both.every(({ end }) => end.kind === 'done')).toBe(true);
    const [{ count, things } = { count: null, things: null }] = await db.rows(`
      select count(*)::text, count(distinct uniqueid)::text as things from corrections where kind = 'attaching'`);
    expect(count).toBe(things);
    expect(Number(count)).toBe(both.reduce((sum, { attached }) => sum + attached, 0));
    expect(answers).toEqual(['booked', 'booked', 'booked']);
    await expectProved(0);
  });

  it('can be stopped between two portions, and goes on when it is run again', async () => {
    await db.persist(many(700));
    const stop = new AbortController();
    const first = await attach(order(1, 10), stop, () => stop.abort());
    expect(first).toEqual({ attached: 300, end: { kind: 'stopped' } });
    await expectProved(400);
    expect(await attach(order(1, 10))).toEqual({ attached: 400, end: { kind: 'done' } });
    await expectProved(0);
  });

  it('ends where its invoice is closed meanwhile: the portion is taken back', async () => {
    await db.persist(many(700));
    const client = new Client({ connectionString: db.databaseUrl });
    await client.connect();
    let closing: Promise<unknown> = Promise.resolve();
    const ended = await attach(order(1, 10), new AbortController(), () => {
      closing = client.query(`update invoices set status = 'closed' where id = 10`);
    });
    await closing;
    await client.end();
    expect(ended.attached).toBeLessThan(700);
    expect(await problemOfInvoice(db.sql, order(1, 10))).toEqual({ kind: 'closed' });
    await expectProved(700 - ended.attached);
  });

  it('says who has locked the invoice, and has moved nothing', async () => {
    await db.persist([late('a')]);
    const client = new Client({ connectionString: db.databaseUrl, application_name: 'the billing system' });
    await client.connect();
    await client.query('begin');
    await client.query('select from invoices where id = 10 for update');
    const { attached, end } = await attach(order(1, 10));
    await client.end();
    expect({ attached, end }).toMatchObject({
      attached: 0,
      end: { kind: 'locked', by: { of: 'invoice', id: '10', application: 'the billing system' } },
    });
    await expectProved(1);
  });

  it('takes no invoice that is unknown, closed or of another customer', async () => {
    expect(await problemOfInvoice(db.sql, order(1, 99))).toEqual({ kind: 'unknown' });
    expect(await problemOfInvoice(db.sql, order(1, 11))).toEqual({ kind: 'closed' });
    expect(await problemOfInvoice(db.sql, order(1, 20))).toEqual({
      kind: 'of another customer',
      customer: 2,
    });
    expect(await problemOfInvoice(db.sql, order(1, 10))).toBeNull();
  });
});

describe('what is late', () => {
  it('is summed up by customer and currency, and listed with its corrections', async () => {
    await db.persist([
      late('a', { cost: '2', taxes: '1' }),
      late('b', { start: 1_000_000_000, end: 1_000_000_000 }),
      late('c', { currency: 'GBP' }),
      late('none', { update_invoices: 0 }),
      { uniqueid: 'd', cost: '4' },
    ]);
    await db.execute(`update invoices set status = 'closed' where id = 10`);
    await correct(db, { id: 'v', uniqueid: 'd' });
    expect(await sumLate(db.sql, { customer: 1, currency: 'USD' })).toEqual([
      {
        ...{ customer: 1, name: 'one', currency: 'USD', calls: 2, corrections: 1, cost: '-1', tax: '0.4' },
        oldest: new Date(1000),
      },
    ]);
    expect(await sumLate(db.sql, {})).toHaveLength(2);
    await db.execute(`update cdrs set received_at = now() - interval '3 days' where uniqueid = 'c'`);
    const counted = await countUninvoiced(db.sql);
    expect(counted.map(({ currency, count, amount }) => `${count} ${currency} ${amount}`).sort()).toEqual([
      '1 GBP 1',
      '3 USD -0.6',
    ]);
    const oldest = counted.find(({ currency }) => currency === 'GBP')?.oldestSeconds ?? 0;
    expect(Math.round(oldest / 86_400)).toBe(3);
    const listed = async (filter: LateFilter) =>
      (await listLate(db.sql, filter, 10)).map(({ uniqueid, kind, cost }) => `${uniqueid} ${kind} ${cost}`);
    expect(await listed({})).toEqual(['a call 2', 'c call 1', 'b call 1', 'd reversing -4']);
    expect(await listed({ since: new Date(1000), until: new Date(1_000_000_000_000) })).toEqual([
      'a call 2',
      'c call 1',
    ]);
    expect(await listLate(db.sql, { currency: 'GBP' }, 1)).toEqual([
      {
        ...{ uniqueid: 'c', entry: null, kind: 'call', start: new Date(1000), customer: 1 },
        ...{ cost: '1', tax: '0', currency: 'GBP' },
      },
    ]);
  });
});
