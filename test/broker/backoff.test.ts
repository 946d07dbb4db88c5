import { describe, expect, it } from 'vitest';
import { createBackoff } from '../../src/broker/backoff.ts';

describe('the pauses between attempts', () => {
  it('double from 100 ms, shortened at random by up to a half, and stay under 5 s', () => {
    const longest = createBackoff(() => 0);
    expect(Array.from({ length: 8 }, () => longest.next())).toEqual([
      100, 200, 400, 800, 1600, 3200, 4800, 4800,
    ]);
    expect(createBackoff(() => 0.999_999).next()).toBe(50);
  });

  it('start again after a success that lasted, but not after one that did not', () => {
    let now = 0;
    const backoff = createBackoff(
      () => 0,
      () => now,
    );
    backoff.next();
    backoff.next();
    backoff.succeeded();
    now += 100;
    expect(backoff.next()).toBe(400);
    backoff.succeeded();
    now += 5_000;
    expect(backoff.next()).toBe(100);
  });
});
