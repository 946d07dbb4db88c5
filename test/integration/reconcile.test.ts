import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reconcile } from '../../src/store/reconcile.ts';
import { attachByHand, bookAgain, reverse } from '../support/entries.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

let db: BillingDatabase;
beforeAll(async () => {
  db = await billingDatabase('reconcile');
  const costs = ['0.000001', '1.5', '-0.333333', '999999999999.999999', '0', '12.345678', '-7'];
  const currencies = ['USD', 'EUR', 'GBP', 'JPY'];
  const taxes = ['', '1', '2', '1,2'];
  const calls = Array.from({ length: 336 }, (_, index) => ({
    uniqueid: `r-${index}`,
    cost: costs[index % 7] ?? '0',
    currency: currencies[index % 4] ?? 'USD',
    taxes: taxes[(index >> 2) % 4] ?? '',
    scustomer: 1 + (index % 3),
    update_balance: index % 11 === 0 ? 0 : 1,
    update_invoices: index % 5 === 0 ? 0 : 1,
  }));
  await db.persist(calls);
});
afterAll(() => db?.drop());

const drifts = async () => (await reconcile(db)).proofs.map(({ drift }) => drift);

it('finds every amount in order, computed again from the recorded terms', async () => {
  const { proofs, uninvoiced } = await reconcile(db);
  expect(proofs.map(({ examined, drift }) => [examined, drift])).toEqual([
    [3, 0],
    [3, 0],
    [336, 0],
    [0, 0],
    [0, 0],
    [0, 0],
  ]);
  expect(uninvoiced.reduce((sum, { calls }) => sum + calls, 0)).toBeGreaterThan(0);
});

it('is not disturbed by rates and taxes that moved afterwards', async () => {
  await db.execute(`update currencies set rate = rate * 3 where code <> 'USD'`);
  await db.execute('update taxes set rate = rate + 1');
  expect(await drifts()).toEqual([0, 0, 0, 0, 0, 0]);
});

it.each([
  [
    'a balance charged twice',
    'update customers set charged = charged + 0.000001 where id = 1',
    [1, 0, 0, 0, 0, 0],
  ],
  ['a call that was not counted', 'update customers set calls = calls - 1 where id = 2', [1, 0, 0, 0, 0, 0]],
  [
    'an invoice that lost a cent',
    'update invoices set total = total - 0.01 where id = 10',
    [0, 1, 0, 0, 0, 0],
  ],
  ['a call whose tax does not follow', `update cdrs set tax = tax + 0.000001 where uniqueid = 'r-1'`, null],
])('finds %s', async (_, damage, expected) => {
  await db.execute(damage);
  const found = await drifts();
  if (expected) expect(found).toEqual(expected);
  else expect(found[2]).toBe(1);
  const reversed = damage
    .replace('+ 0.000001', '- 0.000001 + 0')
    .replace('calls - 1', 'calls + 1')
    .replace('- 0.01', '+ 0.01');
  await db.execute(reversed);
  expect(await drifts()).toEqual([0, 0, 0, 0, 0, 0]);
});

it('shows what it finds: a call of which a term is missing', async () => {
  await db.execute(`update cdrs set invoice_rate = null where uniqueid = 'r-3'`);
  const { proofs } = await reconcile(db);
  expect(proofs.map(({ examples }) => examples.length)).toEqual([0, 0, 1, 0, 0, 0]);
  const [row] = await db.rows(`select tax::text, charged::text, invoice_cost::text, invoice_tax::text
    from cdrs where uniqueid = 'r-3'`);
  const { tax, charged } = row ?? {};
  const due = { tax_due: tax, charged_due: charged, invoice_cost_due: null, invoice_tax_due: null };
  expect(proofs[2]?.examples).toEqual([{ uniqueid: 'r-3', ...row, ...due }]);
});

describe('corrections', () => {
  /** How many rows contradict each claim that something contradicts, by the subject of the claim. */
  const found = async () => {
    const { proofs } = await reconcile(db);
    const subjectOf = (claim: string) => /^(?:what )?(?:each|no) (\w+)/.exec(claim)?.[1];
    return proofs.flatMap(({ claim, drift }) => (drift > 0 ? [`${subjectOf(claim)} ${drift}`] : []));
  };

  beforeAll(async () => {
    await db.execute('delete from cdrs');
    await db.execute('update customers set charged = 0, calls = 0, balance = 0');
    await db.execute('update invoices set calls = 0, cost = 0, tax = 0, total = 0');
    await db.persist([
      { uniqueid: 'voided', cost: '1', taxes: '1' },
      { uniqueid: 'updated', cost: '2', taxes: '1,2' },
      { uniqueid: 'late', cost: '3', currency: 'JPY', taxes: '2', scustomer: 2 },
      { uniqueid: 'late-voided', cost: '4', scustomer: 2 },
      { uniqueid: 'text', cost: '5' },
      { uniqueid: 'pruned', cost: '6' },
    ]);
    await reverse(db, { id: 'void', uniqueid: 'voided' });
    const onNone = { invoice: null, invoice_cost: 0, invoice_tax: 0, invoice_calls: 0 };
    await reverse(db, { id: 'update#reversal', uniqueid: 'updated', ...onNone, late: true });
    await bookAgain(db, { id: 'update', uniqueid: 'updated', follows: 'update#reversal' });
    await reverse(db, { id: 'update-void', uniqueid: 'updated', of: 'update' });
    await attachByHand(db, {
      id: 'attached',
      uniqueid: 'updated',
      late: 'update#reversal',
      follows: 'update-void',
    });
    await attachByHand(db, { id: 'late-attached', uniqueid: 'late', late: '', follows: '' });
    const [attached] = await db.rows(`select invoice, invoice_currency, (-invoice_cost)::text as invoice_cost,
      (-invoice_tax)::text as invoice_tax, -1 as invoice_calls from corrections where id = 'late-attached'`);
    await reverse(db, { ...attached, id: 'late-void', uniqueid: 'late', follows: 'late-attached' });
    await reverse(db, { id: 'late-voided-void', uniqueid: 'late-voided', late_entry: '' });
    await bookAgain(db, {
      id: 'text-update',
      uniqueid: 'text',
      follows: '',
      messages: 7,
      ...onNone,
      cost: 0,
      tax: 0,
      charged: 0,
      calls: 0,
    });
    await reverse(db, { id: 'pruned-void', uniqueid: 'pruned' });
    await db.execute(`with gone as (delete from cdrs where uniqueid = 'pruned' returning *),
      past as (insert into past_calls select uniqueid, fingerprint from gone)
      insert into past_sums
      select 'customer', scustomer::text, 1, charged, 0, 0 from gone
      union all select 'invoice', invoice::text, 1, 0, invoice_cost, invoice_tax from gone`);
  });

  it('are part of every sum, and follow from what they reverse, attach, or from their terms', async () => {
    expect(await found()).toEqual([]);
    const { proofs, uninvoiced } = await reconcile(db);
    expect(proofs.map(({ examined }) => examined)).toEqual([3, 3, 5, 1, 10, 10]);
    expect(uninvoiced).toEqual([]);
  });

  const of = (id: string, change: string) => `update corrections set ${change} where id = '${id}'`;
  it.each([
    ['an amount charged that no call was', of('void', 'charged = charged - 1'), 'customer 1', 'correction 1'],
    ['a call that was not taken back', of('void', 'calls = 0'), 'customer 1', 'correction 1'],
    ['another customer', of('void', 'customer = 2'), 'customer 2', 'correction 1'],
    ['an invoice that got too much', of('attached', 'invoice_cost = 1'), 'invoice 1', 'correction 1'],
    ['a reversal of another cost', of('void', 'cost = -9'), 'correction 1'],
    ['a new tax that does not follow', of('update', 'tax = 9'), 'correction 2'],
    ['a reversal that is late though it is not', of('void', 'late = true'), 'correction 1'],
    ['text that moves money', of('text-update', 'charged = 1'), 'customer 1', 'correction 1'],
    ['a rate of which nothing follows', of('late-attached', 'invoice_rate = 7'), 'correction 1'],
    ['a missing rate', of('late-attached', 'invoice_rate = null'), 'correction 1'],
    [
      'an entry that follows nothing',
      of('update-void', `follows = 'nothing'`),
      'correction 1',
      'correction 2',
    ],
    ['an entry of no call', of('void', `uniqueid = 'nobody'`), 'correction 1'],
    ['a late entry that is none', of('attached', `late_entry = 'update'`), 'correction 1'],
    [
      'a late entry that does not exist',
      of('attached', `late_entry = 'nothing'`),
      'correction 1',
      'correction 1',
    ],
    ['a late call that is not', of('void', `late_entry = ''`), 'correction 1'],
    ['a call that is stored and pruned', `insert into past_calls values ('voided', '\\x00')`, 'call 1'],
  ])('find %s', async (_, damage, ...expected) => {
    const tables = ['corrections', 'past_calls'];
    for (const table of tables) await db.execute(`create table kept_${table} as table ${table}`);
    await db.execute(damage);
    const wrong = await found();
    for (const table of tables) {
      await db.execute(`delete from ${table}`);
      await db.execute(`insert into ${table} table kept_${table}`);
      await db.execute(`drop table kept_${table}`);
    }
    expect(wrong).toEqual(expected);
    expect(await found()).toEqual([]);
  });

  it('find an entry that two follow, and a late call that two take, were the keys gone', async () => {
    await db.execute('drop index corrections_uniqueid_follows_key, corrections_uniqueid_late_entry_key');
    const again = `select (jsonb_populate_record(c, '{"id": "again", "charged": 0, "calls": 0, "invoice_cost": 0,
      "invoice_tax": 0, "invoice_calls": 0}')).* from corrections c where id = 'late-attached'`;
    await db.execute(`insert into corrections ${again}`);
    const { proofs } = await reconcile(db);
    const [, , , , line] = proofs;
    const found = line?.examples.map(({ correction, followers, takers }) => [correction, followers, takers]);
    expect(found?.sort()).toEqual([
      ['again', '2', '2'],
      ['late-attached', '2', '2'],
    ]);
  });
});
