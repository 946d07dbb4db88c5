import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AMOUNT_INTEGER_DIGITS,
  amount,
  amountType,
  canonical,
  convert,
  convertSql,
  GIVEN_INTEGER_DIGITS,
  plain,
  SCALE,
  SUM_INTEGER_DIGITS,
  taxOn,
  taxSql,
} from '../../src/domain/money.ts';
import { decimalText, rateText } from '../domain/fuzzing.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

let db: BillingDatabase;
beforeAll(async () => {
  db = await billingDatabase('money-sql');
});
afterAll(() => db?.drop());

interface Sum {
  value: string;
  source: string;
  target: string;
  percent: string;
  flat: string;
}

const LARGEST = [GIVEN_INTEGER_DIGITS, AMOUNT_INTEGER_DIGITS].map(
  (digits) => `${'9'.repeat(digits)}.${'9'.repeat(SCALE)}`,
);
const VALUES = ['0', '0.000001', '0.000003', '0.5', '1', '2', '7', '0.333333', ...LARGEST];
const RATES = ['1', '2', '3', '0.5', '0.0000005', '0.00000049999999', '1.5', '151.4', '1000000'];

/** Every value with either sign at every pair of rates, and what chance brings. */
const SUMS: Sum[] = [
  ...VALUES.flatMap((text) => (text === '0' ? [text] : [text, `-${text}`])).flatMap((value) =>
    RATES.flatMap((source) =>
      RATES.map((target) => ({ value, source, target, percent: target, flat: source })),
    ),
  ),
  ...fc.sample(
    fc.record({
      value: decimalText,
      source: rateText,
      target: rateText,
      percent: rateText,
      flat: decimalText,
    }),
    2000,
  ),
];

/** Whether the exact value lies half between two amounts: there rules of rounding differ. */
function isTie({ value, source, target }: Sum): boolean {
  const half = amount(value).times(target).times(2).times(amount('10').pow(SCALE));
  return half.mod(source).isZero() && half.div(source).mod(2).abs().equals(1);
}

describe('an amount in SQL', () => {
  it('is rounded as the same amount in the worker: ties, either sign, nothing, the largest', async () => {
    const rows = await db.prisma.$queryRawUnsafe<{ converted: string; tax: string }[]>(
      `select ${convertSql('value', 'source', 'target')}::text as converted,
         ${taxSql('value', 'percent', 'flat', 'source', 'target')}::text as tax
       from json_to_recordset($1::json)
         as c(at int, value numeric, source numeric, target numeric, percent numeric, flat numeric) order by at`,
      JSON.stringify(SUMS.map((sum, at) => ({ at, ...sum }))),
    );
    const inSql = rows.map(({ converted, tax }) => [canonical(converted), canonical(tax)]);
    const here = SUMS.map(({ value, source, target, percent, flat }) => {
      const [v, s, t] = [amount(value), amount(source), amount(target)];
      return [plain(convert(v, s, t)), plain(taxOn(v, amount(percent), amount(flat), s, t))];
    });
    const differing = SUMS.flatMap((sum, at) =>
      String(inSql[at]) === String(here[at]) ? [] : [{ ...sum, sql: inSql[at], worker: here[at] }],
    );
    expect(differing.slice(0, 10)).toEqual([]);
    const ties = SUMS.filter(isTie);
    expect(ties.filter(({ value }) => value.startsWith('-')).length).toBeGreaterThan(20);
    expect(ties.filter(({ value }) => !value.startsWith('-')).length).toBeGreaterThan(20);
  });

  it('is kept in columns of as many places as it is rounded to; rates are kept as they are given', async () => {
    const columns = await db.rows(
      `select table_name || '.' || column_name as name, numeric_precision::text as digits, numeric_scale::text as scale
       from information_schema.columns where table_schema = 'public' and data_type = 'numeric' order by 1`,
    );
    const rates = columns.filter(({ digits }) => digits === null).map(({ name }) => name);
    expect(rates.filter((name) => !/rate$|^taxes\.flat$|^replays\.abort_over$/.test(name ?? ''))).toEqual([]);
    const widths = [GIVEN_INTEGER_DIGITS, AMOUNT_INTEGER_DIGITS, SUM_INTEGER_DIGITS];
    const allowed = widths.map(amountType);
    const amounts = columns.filter(({ digits }) => digits !== null);
    expect(amounts.length).toBeGreaterThan(10);
    for (const { name, digits, scale } of amounts)
      expect([name, allowed]).toEqual([name, expect.arrayContaining([`numeric(${digits},${scale})`])]);
  });
});
