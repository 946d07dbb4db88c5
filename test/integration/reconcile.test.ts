import { afterAll, beforeAll, expect, it } from 'vitest';
import { reconcile } from '../../src/store/reconcile.ts';
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
  ]);
  expect(uninvoiced.reduce((sum, { calls }) => sum + calls, 0)).toBeGreaterThan(0);
});

it('is not disturbed by rates and taxes that moved afterwards', async () => {
  await db.execute(`update currencies set rate = rate * 3 where code <> 'USD'`);
  await db.execute('update taxes set rate = rate + 1');
  expect(await drifts()).toEqual([0, 0, 0]);
});

it.each([
  ['a balance charged twice', 'update customers set charged = charged + 0.000001 where id = 1', [1, 0, 0]],
  ['a call that was not counted', 'update customers set calls = calls - 1 where id = 2', [1, 0, 0]],
  ['an invoice that lost a cent', 'update invoices set total = total - 0.01 where id = 10', [0, 1, 0]],
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
  expect(await drifts()).toEqual([0, 0, 0]);
});

it('shows what it finds: a call of which a term is missing', async () => {
  await db.execute(`update cdrs set invoice_rate = null where uniqueid = 'r-3'`);
  const { proofs } = await reconcile(db);
  expect(proofs.map(({ examples }) => examples.length)).toEqual([0, 0, 1]);
  const [row] = await db.rows(`select tax::text, charged::text, invoice_cost::text, invoice_tax::text
    from cdrs where uniqueid = 'r-3'`);
  const { tax, charged } = row ?? {};
  const due = { tax_due: tax, charged_due: charged, invoice_cost_due: null, invoice_tax_due: null };
  expect(proofs[2]?.examples).toEqual([{ uniqueid: 'r-3', ...row, ...due }]);
});
