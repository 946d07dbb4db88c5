import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Amount, amount, wholeOf } from '../../src/domain/amount.ts';
import { fuzz } from './fuzzing.ts';

const Exact = Decimal.clone({ precision: 200, toExpNeg: -200, toExpPos: 200 });

/** Whole numbers of every size, many of them next to the largest that a double holds, or to one with 15 digits. */
const digits = fc.oneof(
  fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }),
  fc.bigInt({ min: -(10n ** 9n), max: 10n ** 9n }),
  fc
    .tuple(
      fc.constantFrom(1n, -1n),
      fc.constantFrom(2n ** 53n, 2n ** 54n, 10n ** 15n, 10n ** 14n),
      fc.bigInt(-5n, 5n),
    )
    .map(([sign, whole, beside]) => sign * (whole + beside)),
);
const parts = fc.tuple(digits, fc.integer({ min: 0, max: 25 }));

const made = ([whole, places]: [bigint, number]) => new Amount(wholeOf(whole), places);
const decimal = ([whole, places]: [bigint, number]) =>
  new Exact(String(whole)).div(new Exact(10).pow(places));
const text = (value: Decimal) => (value.isZero() ? '0' : value.toFixed());

describe('an amount', () => {
  it('adds, subtracts, multiplies and compares as a decimal of a library does', () => {
    fuzz(
      fc.property(parts, parts, (one, other) => {
        const [a, b, x, y] = [made(one), made(other), decimal(one), decimal(other)];
        expect([a.plus(b), a.minus(b), a.times(b), a.negated()].map(String)).toEqual(
          [x.plus(y), x.minus(y), x.times(y), x.negated()].map(text),
        );
        expect([a.equals(b), a.isNegative(), a.isZero()]).toEqual([x.equals(y), x.lt(0), x.isZero()]);
      }),
    );
  });

  it('is the number that its text says, with zeros at either end or an exponent', () => {
    fuzz(
      fc.property(parts, fc.integer({ min: -20, max: 20 }), (given, exponent) => {
        const value = decimal(given);
        expect(String(amount(value.toFixed(given[1])))).toBe(text(value));
        expect(String(amount(value.toFixed().replace(/\d/, '00$&')))).toBe(text(value));
        expect(String(amount(`${value.toFixed()}e${exponent}`))).toBe(
          text(value.times(new Exact(10).pow(exponent))),
        );
      }),
    );
  });

  it('is shifted by powers of ten', () => {
    fuzz(
      fc.property(parts, fc.integer({ min: -30, max: 30 }), (given, powers) => {
        expect(String(made(given).shifted(powers))).toBe(
          text(decimal(given).times(new Exact(10).pow(powers))),
        );
      }),
    );
  });

  it.each(['', 'a', '1,5', '1.5.1', '--1', '1 2', 'e5'])('is not read from %j', (given) => {
    expect(() => amount(given)).toThrow();
  });

  it.each(['NaN', 'Infinity'])('that the database has as %s stays no number', (given) => {
    const none = amount(given);
    expect([none.plus(amount('1')), none.times(amount('9e40')), none.negated()].map(String)).toEqual([
      'NaN',
      'NaN',
      'NaN',
    ]);
  });
});
