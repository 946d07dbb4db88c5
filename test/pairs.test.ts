import { expect, it } from 'vitest';
import { pairs } from '../src/pairs.ts';

it('pairs the elements of two lists by their places', () => {
  expect(pairs(['a', 'b'], [1, 2])).toEqual([
    ['a', 1],
    ['b', 2],
  ]);
  expect(pairs([], [])).toEqual([]);
});

it.each([
  ['too few', [1]],
  ['too many', [1, 2, 3]],
  ['a missing one', [undefined, 2]],
])('throws instead of shifting the answers: %s', (_, answers) => {
  expect(() => pairs(['a', 'b'], answers)).toThrow(/answer/);
});
