import { describe, expect, it } from 'vitest';
import { halvesOf } from '../../src/dead-letters/portions.ts';

describe('a transaction of a dry run that failed', () => {
  it.each([
    ['ab', 'a|b'],
    ['abcd', 'ab|cd'],
    ['aaab', 'aaa|b'],
    ['abbb', 'a|bbb'],
    ['aabbbc', 'aa|bbbc'],
    ['aaaa', 'aa|aa'],
    ['---', '-|--'],
  ])('is divided with calls of one uniqueid together as long as there are others: %s', (given, expected) => {
    const letters = [...given].map((name) => ({ uniqueid: name === '-' ? null : name }));
    const halves = halvesOf(letters).map((half) => half.map(({ uniqueid }) => uniqueid ?? '-').join(''));
    expect(halves.join('|')).toBe(expected);
  });
});
