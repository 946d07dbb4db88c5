import { expect, it } from 'vitest';
import { EVERY, everyText, secondsOf } from '../../src/domain/every.ts';

it.each([
  ['90s', 90, '90s'],
  ['15m', 900, '15m'],
  ['120m', 7200, '2h'],
  ['1d', 86_400, '1d'],
])('%s is %i seconds, shown as %s', (text, seconds, shown) => {
  expect(EVERY.test(text)).toBe(true);
  expect(secondsOf(text)).toBe(seconds);
  expect(everyText(seconds)).toBe(shown);
});

it('is never longer than a column of the database holds', () => {
  expect(secondsOf('99999d')).toBe(2 ** 31 - 1);
});

it.each(['', '0m', '15', 'm', '1w', '1.5h', '-1m', '100000s'])('"%s" is none', (text) => {
  expect(EVERY.test(text)).toBe(false);
});
