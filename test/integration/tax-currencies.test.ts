import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { responsesTo } from '../../src/domain/reply.ts';
import { reconcile } from '../../src/store/reconcile.ts';
import { charged, type ModelTax, millionths } from '../domain/exact-model.ts';
import { decimalText, rateText } from '../domain/fuzzing.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

let db: BillingDatabase;
beforeAll(async () => {
  db = await billingDatabase('tax-currencies');
});
afterAll(() => db?.drop());

const drifts = async () => (await reconcile(db)).proofs.map(({ drift }) => drift);
const termsOf = (uniqueid: string) =>
  db.rows(`select tax::text, tax_terms::text from cdrs where uniqueid = '${uniqueid}'`);

describe('the flat part of a tax', () => {
  it('is converted from the currency of the tax, and its rate is recorded', async () => {
    await db.persist([{ uniqueid: 'gbp', cost: '1', currency: 'EUR', taxes: 'fee' }]);
    // 0.4 × 0.92 / 0.79
    const [row] = await termsOf('gbp');
    expect(row?.tax).toBe('0.465823');
    const expected = [{ id: 3, rate: '0', flat: '0.4', currency: 'GBP', currency_rate: '0.79' }];
    expect(JSON.parse(row?.tax_terms ?? '')).toEqual(expected);
  });

  it('is in the system currency where the tax has none, and recorded as it always was', async () => {
    await db.persist([{ uniqueid: 'system', cost: '1', currency: 'EUR', taxes: 'levy' }]);
    const [row] = await termsOf('system');
    expect(row?.tax).toBe('0.046000');
    expect(JSON.parse(row?.tax_terms ?? '')).toEqual([{ id: 2, rate: '0', flat: '0.05' }]);
  });

  it('of a credit cancels that of its call', async () => {
    const call = { cost: '0.333333', currency: 'JPY', taxes: '1,fee', scustomer: 3 };
    await db.persist([
      { ...call, uniqueid: 'debit' },
      { ...call, uniqueid: 'credit', cost: '-0.333333' },
    ]);
    const [row] = await db.rows('select charged::text, calls::text from customers where id = 3');
    expect(row).toEqual({ charged: '0.000000', calls: '2' });
  });

  it('in a currency without a rate is a 400 on taxes, also where it is 0', async () => {
    await db.execute(`insert into taxes (id, name, rate, flat, currency) values (4, 'odd', 20, 0, 'XXX')`);
    const [outcome] = await db.persist([{ uniqueid: 'odd', cost: '1', taxes: '1,odd' }]);
    expect(outcome && responsesTo(outcome)).toEqual([
      { code: '400', key: 'taxes', message: 'tax "odd" is in "XXX", which has no exchange rate' },
    ]);
  });
});

describe('reconcile', () => {
  it('proves each tax from its own terms, whatever has moved since', async () => {
    await db.execute(`update currencies set rate = rate * 3 where code = 'GBP'`);
    await db.execute(`update taxes set currency = 'JPY', flat = flat + 1`);
    expect(await drifts()).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('finds a tax whose rate of the currency is wrong or missing', async () => {
    const before = (await termsOf('gbp'))[0]?.tax_terms ?? '';
    const record = (terms: string) =>
      db.execute(`update cdrs set tax_terms = '${terms}' where uniqueid = 'gbp'`);
    for (const damaged of [before.replace('0.79', '0.8'), before.replace('currency_rate', 'rate_of_old')]) {
      expect(damaged).not.toBe(before);
      await record(damaged);
      expect(await drifts()).toEqual([0, 0, 1, 0, 0, 0]);
    }
    await record(before);
    expect(await drifts()).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

const CODES = ['AAA', 'BBB', 'CCC', 'DDD'];
const TAXES = 40;
const CALLS = 600;

const rule = fc.record({
  rate: fc.oneof(rateText, fc.constant('0')).filter((text) => Number(text) < 1e6),
  flat: fc.oneof(decimalText, rateText).filter((text) => Math.abs(Number(text)) < 1e6),
  currency: fc.constantFrom(null, 'USD', ...CODES),
});
const content = fc.record({
  cost: decimalText.filter((text) => Math.abs(Number(text)) < 1e6),
  currency: fc.constantFrom('USD', ...CODES),
  taxes: fc.uniqueArray(fc.integer({ min: 101, max: 100 + TAXES }), { minLength: 1, maxLength: 4 }),
});

it('agrees with exact fractions to the last digit, whatever the cost, the rates and the currencies', async () => {
  const seed = Number(process.env.FUZZ_SEED ?? Date.now());
  const drawn = <Value>(from: fc.Arbitrary<Value>, count: number) =>
    fc.sample(from, { numRuns: count, seed });
  const rates = new Map([['USD', '1']]);
  for (const [index, rate] of drawn(rateText, CODES.length).entries()) rates.set(CODES[index] ?? '', rate);
  const rules = drawn(rule, TAXES);
  const given = drawn(content, CALLS);
  await db.execute(
    `insert into currencies (code, rate) values ${CODES.map((code) => `('${code}', ${rates.get(code)})`)}`,
  );
  await db.execute(
    `insert into taxes (id, name, rate, flat, currency) values ${rules.map(
      ({ rate, flat, currency }, index) =>
        `(${101 + index}, 'drawn ${index}', ${rate}, ${flat}, ${currency === null ? 'null' : `'${currency}'`})`,
    )}`,
  );
  const outcomes = await db.persist(
    given.map(({ taxes, ...rest }, index) => ({
      ...rest,
      taxes: taxes.join(','),
      uniqueid: `drawn-${index}`,
    })),
  );

  const modelTax = (id: number): ModelTax[] => {
    const found = rules[id - 101];
    if (found === undefined) return [];
    const { rate, flat, currency } = found;
    return [currency === null ? { rate, flat } : { rate, flat, currency_rate: rates.get(currency) ?? '' }];
  };
  const rows = await db.rows(`select uniqueid, tax::text from cdrs where uniqueid like 'drawn-%'`);
  const stored = new Map(rows.map(({ uniqueid, tax }) => [uniqueid, millionths(tax ?? '')]));
  const wrong = given.flatMap(({ cost, currency, taxes }, index) => {
    const outcome = outcomes[index];
    // What the columns cannot hold is refused.
    if (outcome?.kind === 'rejected' && outcome.errors.every(({ key }) => key === 'cost')) return [];
    const call = rates.get(currency) ?? '';
    const due = charged(cost, taxes.flatMap(modelTax), { system: '1', call, target: '1' });
    const got = stored.get(`drawn-${index}`);
    return got === due.tax ? [] : [{ seed, cost, currency, taxes, got, due: due.tax, outcome }];
  });
  expect(wrong).toEqual([]);
  expect(stored.size).toBeGreaterThan(CALLS / 3);
  expect(await drifts()).toEqual([0, 0, 0, 0, 0, 0]);

  await db.execute(`update currencies set rate = rate * 7 where code <> 'USD'`);
  await db.execute(`update taxes set currency = case when currency is null then 'AAA' end, rate = rate + 1`);
  expect(await drifts()).toEqual([0, 0, 0, 0, 0, 0]);
});
