import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TagWindow } from '../../src/broker/tag-window.ts';

describe('a window of tags', () => {
  it('gives out each value once, and says which tag is the oldest', () => {
    const window = new TagWindow<string>();
    expect([window.oldest, window.size]).toEqual([undefined, 0]);
    for (const tag of [3, 4, 7, 9]) window.add(tag, `value ${tag}`);
    expect(window.take(7)).toBe('value 7');
    expect(window.take(7)).toBeUndefined();
    expect(window.get(7)).toBeUndefined();
    expect(window.take(5)).toBeUndefined();
    expect([window.oldest, window.size, [...window.values()]]).toEqual([
      3,
      3,
      ['value 3', 'value 4', 'value 9'],
    ]);
    expect(window.take(3)).toBe('value 3');
    expect(window.oldest).toBe(4);
  });

  it('does what a map does, in whatever order values are taken', () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ take: fc.nat(1200) }),
      fc.constant({ takeOldest: true }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 4000, size: 'max' }), (steps) => {
        const window = new TagWindow<number>();
        const model = new Map<number, number>();
        let last = 0;
        for (const one of steps) {
          const [oldest] = model.keys();
          if ('add' in one) {
            last += one.add;
            window.add(last, -last);
            model.set(last, -last);
          } else {
            const tag = 'take' in one ? last - one.take : (oldest ?? 1);
            expect(window.take(tag)).toBe(model.get(tag));
            model.delete(tag);
          }
          expect(window.size).toBe(model.size);
          expect(window.oldest).toBe(model.keys().next().value);
        }
        expect([...window.values()]).toEqual([...model.values()]);
      }),
      { numRuns: 50 },
    );
  });

  it('keeps nothing of what was taken, however much passes one that stays', () => {
    const window = new TagWindow<number>();
    window.add(1, 1);
    for (let tag = 2; tag < 10_000; tag += 1) {
      window.add(tag, tag);
      window.take(tag);
    }
    expect([...window.values()]).toEqual([1]);
    expect(window.size).toBe(1);
  });
});
