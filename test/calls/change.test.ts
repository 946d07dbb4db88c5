import { describe, expect, it } from 'vitest';
import { readChange } from '../../src/calls/change.ts';

describe('what a correction sets', () => {
  it('is given by the names of the message or of the call, and an empty list of taxes is one', () => {
    const pairs = ['cost=-1.50', 'currency=EUR', 'taxes=', 'messages=0', 'time=60', 'scustomer=2'];
    expect(readChange(pairs)).toEqual({
      ...{ cost: '-1.50', currency: 'EUR', taxes: '', messages: '0', time: '60', customer: '2' },
    });
    expect(readChange(['customer=2', 'taxes=VAT, 2'])).toEqual({ customer: '2', taxes: 'VAT, 2' });
  });

  it.each([
    ['start=1', 'expected name=value with customer, cost, currency, messages, taxes, time, got "start"'],
    ['cost', 'got "cost"'],
    ['toString=1', 'got "toString"'],
    ['cost=', 'for cost'],
    ['cost=1e3', 'expected a decimal'],
    ['scustomer=x', 'for customer'],
    ['taxes=1,,2', 'for taxes'],
    ['currency=\ud800', 'surrogates'],
  ])('is refused with what was expected: %j', (pair, words) => {
    expect(() => readChange([pair])).toThrow(words);
  });

  it('is given once', () => {
    expect(() => readChange(['customer=1', 'scustomer=2'])).toThrow('customer is set twice');
  });
});
