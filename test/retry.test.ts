import { describe, expect, it } from 'vitest';
import { backoffMs, DeadlineError, retry, sleep, within } from '../src/retry.ts';

const never = new Promise<never>(() => undefined);

describe('the pause before the next try', () => {
  const longest = (attempt: number) => backoffMs(attempt, undefined, () => 0);

  it('doubles from 20 ms and stays at 4 s, however many tries have failed', () => {
    expect([0, 1, 2, 7, 8, 9, 5000].map(longest)).toEqual([20, 40, 80, 2560, 4000, 4000, 4000]);
  });

  it('is shortened at random by up to a half', () => {
    expect(backoffMs(3, undefined, () => 0.5)).toBe(120);
    expect(backoffMs(3, undefined, () => 0.999_999)).toBeCloseTo(80, 3);
  });

  it('keeps to the range that it is given', () => {
    const range = { first: 100, longest: 250 };
    expect([0, 1, 2].map((attempt) => backoffMs(attempt, range, () => 0))).toEqual([100, 200, 250]);
  });
});

describe('work that is repeated', () => {
  const failing = (times: number) => {
    let left = times;
    return async () => {
      left -= 1;
      if (left >= 0) throw new Error(`${left} left`);
      return 'done';
    };
  };

  it('is tried until it succeeds, with a pause before each try but the first', async () => {
    const pauses: number[] = [];
    const result = await retry(
      failing(3),
      () => true,
      async (attempt) => void pauses.push(attempt),
    );
    expect({ result, pauses }).toEqual({ result: 'done', pauses: [0, 1, 2] });
  });

  it('rejects with the latest error, without a pause, once another try is of no use', async () => {
    const pauses: number[] = [];
    const work = retry(
      failing(9),
      async (_, attempt) => attempt < 2,
      async (attempt) => void pauses.push(attempt),
    );
    await expect(work).rejects.toThrow('6 left');
    expect(pauses).toEqual([0, 1]);
  });
});

describe('work with a deadline', () => {
  it('comes to what it comes to where it is in time', async () => {
    expect(await within(Promise.resolve(1), 60_000, 'one')).toBe(1);
    await expect(within(Promise.reject(new Error('no')), 60_000, 'one')).rejects.toThrow('no');
  });

  it('fails by name when the time is up', async () => {
    const late = within(never, 1, 'the answer');
    await expect(late).rejects.toThrow(DeadlineError);
    await expect(late).rejects.toThrow('the answer did not come within 1 ms');
  });
});

describe('a sleep', () => {
  it('ends early when it is told to, and at once where it was told before', async () => {
    const ended = new AbortController();
    const asleep = sleep(60_000, ended.signal);
    ended.abort();
    await asleep;
    await sleep(60_000, ended.signal);
  });
});
