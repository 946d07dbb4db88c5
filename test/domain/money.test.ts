import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { amount, canonical, convert, fits, plain, taxOn } from '../../src/domain/money.ts';
import { converted, fraction, plainText, taxed } from './exact-model.ts';
import { decimalText, fuzz, rateText } from './fuzzing.ts';

const converts = (value: string, source: string, target: string) =>
  plain(convert(amount(value), amount(source), amount(target)));
const taxes = (cost: string, percent: string, flat: string, currency = '1', system = '1') =>
  plain(taxOn(amount(cost), amount(percent), amount(flat), amount(currency), amount(system)));

describe('an amount', () => {
  it.each([
    ['0', '0'],
    ['-0', '0'],
    ['0.000000', '0'],
    ['1.50', '1.5'],
    ['-1.50', '-1.5'],
    ['100', '100'],
    ['999999999999.999999', '999999999999.999999'],
    ['1e-6', '0.000001'],
    ['1e21', '1000000000000000000000'],
  ])('has one plain text: %s is %s', (given, expected) => {
    expect(canonical(given)).toBe(expected);
  });

  it('fits its column up to 18 integer digits, in either direction', () => {
    expect(fits(amount('999999999999999999.999999'))).toBe(true);
    expect(fits(amount('-999999999999999999.999999'))).toBe(true);
    expect(fits(amount('1000000000000000000'))).toBe(false);
    expect(fits(amount('-1000000000000000000'))).toBe(false);
  });
});

describe('a conversion', () => {
  it.each([
    ['10', '1', '0.9', '9'],
    ['1', '3', '1', '0.333333'],
    ['2', '3', '1', '0.666667'],
    ['1', '1', '0.0000005', '0.000001'],
    ['1', '1', '0.00000049999999999999999999', '0'],
    ['-1', '1', '0.0000005', '-0.000001'],
    ['-1', '1', '0.0000004999', '0'],
    ['1', '7', '7', '1'],
    ['0.1', '3', '3', '0.1'],
    ['0', '3', '7', '0'],
    ['999999999999.999999', '0.000001', '1', '999999999999999999'],
  ])('of %s at %s to %s is rounded once, half away from zero: %s', (value, source, target, expected) => {
    expect(converts(value, source, target)).toBe(expected);
  });

  it('agrees with exact fractions to the last digit, whatever the amount and the rates', () => {
    fuzz(
      fc.property(decimalText, rateText, rateText, (value, source, target) => {
        const exact = converted(fraction(value), fraction(source), fraction(target));
        expect(converts(value, source, target)).toBe(plainText(exact));
      }),
    );
  });

  it('of a credit is the conversion of its call with the other sign', () => {
    fuzz(
      fc.property(decimalText, rateText, rateText, (value, source, target) => {
        const there = convert(amount(value), amount(source), amount(target));
        expect(plain(convert(amount(value).negated(), amount(source), amount(target)))).toBe(
          plain(there.negated()),
        );
      }),
    );
  });
});

describe('a tax', () => {
  it.each([
    ['10', '20', '0', '2'],
    ['10', '20', '0.1', '2.1'],
    ['-10', '20', '0.1', '-2.1'],
    ['0', '20', '0.1', '0.1'],
    ['-0', '20', '0.1', '0.1'],
    ['0.000001', '50', '0', '0.000001'],
    ['0.000001', '49.999999', '0', '0'],
    ['-0.000001', '50', '0', '-0.000001'],
    ['10', '-5', '0', '-0.5'],
    ['10', '0', '0', '0'],
  ])('on %s of %s percent and %s flat is %s', (cost, percent, flat, expected) => {
    expect(taxes(cost, percent, flat)).toBe(expected);
  });

  it('has its flat part converted from the system currency to the currency of the call', () => {
    expect(taxes('10', '20', '0.1', '2', '1')).toBe('2.2');
    expect(taxes('10', '20', '0.1', '2', '4')).toBe('2.05');
  });

  it('is rounded once, percentage and flat part together', () => {
    expect(taxes('0.000001', '30', '0.0000003')).toBe('0.000001');
  });

  it('agrees with exact fractions to the last digit, whatever the cost and the terms', () => {
    fuzz(
      fc.property(
        decimalText,
        rateText,
        decimalText,
        rateText,
        rateText,
        (cost, rate, flat, call, system) => {
          const exact = taxed(fraction(cost), { rate, flat }, fraction(call), fraction(system));
          expect(taxes(cost, rate, flat, call, system)).toBe(plainText(exact));
        },
      ),
    );
  });
});
