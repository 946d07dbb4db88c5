import { expect, it } from 'vitest';
import { answersInOrder, pairs } from '../src/pairs.ts';

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

it('puts answers in the order of their questions, and throws where one is missing', () => {
  const answers = new Map([
    ['b', 2],
    ['a', 1],
  ]);
  expect(answersInOrder(['a', 'b'], answers)).toEqual([1, 2]);
  expect(() => answersInOrder(['a', 'c'], answers)).toThrow('no answer to question 2 of 2');
});
