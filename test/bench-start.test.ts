import { expect, it } from 'vitest';
import { fullRateAt } from '../bench/start.ts';

/** Every 10 ms: nothing until `from`, then so many messages a second. */
function progressOf(from: number, perSecond: number, until = 4000) {
  return Array.from({ length: until / 10 }, (_, index) => {
    const at = index * 10;
    return { at, done: Math.max(0, ((at - from) / 1000) * perSecond) };
  });
}

it('a program is at its rate in the middle of the first half second in which it does nine tenths of it', () => {
  const at = fullRateAt(progressOf(1000, 10_000), 10_000);
  expect(at).toBeGreaterThan(1150);
  expect(at).toBeLessThan(1300);
});

it('a burst shorter than half a second does not count', () => {
  const slow = progressOf(0, 1000).map(({ at, done }) => ({ at, done: done + (at > 500 ? 1000 : 0) }));
  expect(fullRateAt(slow, 10_000)).toBe(slow.at(-1)?.at);
});
