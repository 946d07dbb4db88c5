import { describe, expect, it } from 'vitest';
import { type Counts, capacity, hasTooManyFailures } from '../../src/dead-letters/pace.ts';

const NO_LIMITS = { rate: null, abortOver: null };
const START: Counts = { preparing: 0, sent: 0, inFlight: 0, resolved: 0, dead: 0 };
const counts = (some: Partial<Counts>): Counts => ({ ...START, ...some });

describe('the capacity of a replay', () => {
  it('is a chunk, less what would exceed the replays in flight', () => {
    expect(capacity(NO_LIMITS, START, 0)).toBe(500);
    expect(capacity(NO_LIMITS, counts({ sent: 5600, inFlight: 5500, preparing: 300 }), 1000)).toBe(200);
    expect(capacity(NO_LIMITS, counts({ sent: 9000, inFlight: 6000 }), 1000)).toBe(0);
  });

  it('keeps the rate, counting what is being prepared', () => {
    const limits = { ...NO_LIMITS, rate: 50 };
    expect(capacity(limits, START, 0)).toBe(1);
    expect(capacity(limits, counts({ sent: 30, preparing: 10 }), 1000)).toBe(11);
    expect(capacity(limits, counts({ sent: 60 }), 1000)).toBe(0);
  });

  it('grows with the results while too many may be refused', () => {
    const limits = { ...NO_LIMITS, abortOver: 5 };
    expect(capacity(limits, START, 0)).toBe(20);
    expect(capacity(limits, counts({ sent: 20, inFlight: 5, resolved: 15 }), 1000)).toBe(0);
    expect(capacity(limits, counts({ sent: 20, resolved: 19, dead: 1 }), 1000)).toBe(40);
  });
});

it('too many failures are more than the limit, once enough results are known', () => {
  const limits = { ...NO_LIMITS, abortOver: 5 };
  expect(hasTooManyFailures(limits, { resolved: 0, dead: 19 })).toBe(false);
  expect(hasTooManyFailures(limits, { resolved: 19, dead: 1 })).toBe(false);
  expect(hasTooManyFailures(limits, { resolved: 18, dead: 2 })).toBe(true);
  expect(hasTooManyFailures({ ...limits, abortOver: 0 }, { resolved: 19, dead: 1 })).toBe(true);
  expect(hasTooManyFailures(NO_LIMITS, { resolved: 0, dead: 100 })).toBe(false);
});
