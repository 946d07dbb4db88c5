import { describe, expect, it } from 'vitest';
import { moneyShown } from '../../src/domain/money-shown.ts';

describe('an amount as people read it', () => {
  it.each([
    ['1.5', 'EUR', '1.50 EUR'],
    ['0', 'EUR', '0.00 EUR'],
    ['-0.35', 'USD', '-0.35 USD'],
    ['0.384562', 'EUR', '0.384562 EUR'],
    ['12', 'JPY', '12 JPY'],
    ['12.5', 'JPY', '12.5 JPY'],
    ['1.5', 'KWD', '1.500 KWD'],
    ['999999999999.123456', 'USD', '999999999999.123456 USD'],
    ['1.5', '???', '1.5 ???'],
  ])('has the digits of its currency, and loses none: %s %s', (amount, currency, shown) => {
    expect(moneyShown(amount, currency)).toBe(shown);
  });
});
