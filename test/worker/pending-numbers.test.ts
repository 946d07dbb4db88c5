import { expect, it } from 'vitest';
import { PendingNumbers } from '../../src/worker/pending-numbers.ts';

it('become ranges in the order of the numbers, one of what is known alike', () => {
  const numbers = new PendingNumbers('n', 7n, 'new');
  for (const number of [8n, 5n, 6n]) numbers.add(number, 'new');
  numbers.add(9n, 'again');
  expect(numbers.counted()).toEqual({
    field: 'n',
    numbers: [
      { first: 5n, last: 8n, novelty: 'new' },
      { first: 9n, last: 9n, novelty: 'again' },
    ],
    beginsAnew: false,
  });
});

it('are no sign of a restart any more once they may be on record', () => {
  const numbers = new PendingNumbers('n', 1n, 'new');
  numbers.add(2n, 'again');
  numbers.doubt();
  numbers.add(3n, 'new');
  expect(numbers.counted().numbers.map(({ novelty }) => novelty)).toEqual(['unknown', 'again', 'new']);
});

it('are bounded: with too many apart from each other, counting begins anew', () => {
  const numbers = new PendingNumbers('n', 0n, 'new');
  for (let index = 1n; index < 50_000n; index += 1n) numbers.add(index * 2n, 'new');
  const { numbers: kept, beginsAnew } = numbers.counted();
  expect(kept.length).toBeLessThanOrEqual(20_000);
  expect(beginsAnew).toBe(true);
});

it('are kept in whatever order they come, where they follow on each other', () => {
  const numbers = new PendingNumbers('n', 1n, 'new');
  for (let index = 2n; index <= 50_000n; index += 2n) {
    numbers.add(index + 1n, 'new');
    numbers.add(index, 'new');
  }
  expect(numbers.counted()).toEqual({
    field: 'n',
    numbers: [{ first: 1n, last: 50_001n, novelty: 'new' }],
    beginsAnew: false,
  });
});
