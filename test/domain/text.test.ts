import { describe, expect, it } from 'vitest';
import { NumberToken } from '../../src/domain/json-number.ts';
import { clean, cut, shorten, shown } from '../../src/domain/text.ts';

describe('a text', () => {
  it('that is clean comes back as it is', () => {
    const text = 'Ünïcödé \u{1F600} "quoted" \u00a0\u2028';
    expect(clean(text)).toBe(text);
  });

  it('has every control character replaced, C0, DEL and C1, and nothing beside them', () => {
    for (let code = 0; code < 0x100; code += 1) {
      const control = code < 0x20 || (code >= 0x7f && code < 0xa0);
      const character = String.fromCharCode(code);
      expect(clean(`a${character}b`)).toBe(control ? 'a\uFFFDb' : `a${character}b`);
    }
  });

  it('is cut between code points', () => {
    expect(cut('\u{1F600}\u{1F601}', 1)).toBe('\u{1F600}');
    expect(cut('ab', 2)).toBe('ab');
    expect(shorten('\u{1F600}\u{1F601}\u{1F602}', 2)).toBe('\u{1F600}…');
    expect(shorten('ab', 2)).toBe('ab');
  });

  it('in a refusal is short and can disturb neither a terminal nor a log', () => {
    expect(shown('a\x1b[31m\nb')).toBe('"a\uFFFD[31m\uFFFDb"');
    expect(shown('a\u202eb\u2028c\u200bd')).toBe('"a\\u202eb\\u2028c\\u200bd"');
    expect(Array.from(shown('x'.repeat(5000)))).toHaveLength(42);
    expect([[1], {}, null, true, 1.5].map(shown)).toEqual(['a list', 'an object', 'null', 'true', '1.5']);
    expect(shown(new NumberToken('1'.repeat(50)))).toBe(`${'1'.repeat(39)}…`);
  });
});
