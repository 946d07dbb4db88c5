import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fieldValue, html, preformatted } from '../../src/console/html.ts';
import { jsonText, printable, printableLines, safeJson } from '../../src/domain/printable.ts';
import { HOSTILE, unsafeIn } from '../support/unsafe.ts';

/** Any UTF-16, lone surrogates too, with many of the characters in question. */
const texts = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
      fc.integer({ min: 0, max: 0x10ffff }).map((point) => String.fromCodePoint(point)),
      fc.constantFrom(...HOSTILE),
    ),
  )
  .map((parts) => parts.join(''));

describe('what is printed for people', () => {
  it('holds no character that a terminal obeys or hides, whatever the text', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(unsafeIn(printable(text))).toEqual([]);
        expect(printable(text)).not.toMatch(/[\n\r\t]/);
        expect(unsafeIn(printableLines(text))).toEqual([]);
        expect(printableLines(text)).not.toMatch(/[\r\t]/);
      }),
      { numRuns: 2000 },
    );
  });

  it('shows each of them as its escape, and every other character as it is', () => {
    expect(printable('a\u001b[31m\u009b\u202e\u2028\ud800\u{e0041}\n\t')).toBe(
      'a\\u001b[31m\\u009b\\u202e\\u2028\\ud800\\u{e0041}\\n\\t',
    );
    // Reserved to be hidden, though Unicode gives them no name yet.
    expect(printable('\u2065\ufff0\u{e0000}')).toBe('\\u2065\\ufff0\\u{e0000}');
    expect(jsonText('\u{e0000}')).toBe('"\\udb40\\udc00"');
    const harmless = 'Ünïcödé שלום العربية 日本語 \u{1F600}\ufe0f "quoted" \\ <b> \u00a0';
    expect(printable(harmless)).toBe(harmless);
    expect(printableLines('a\nb\u001b')).toBe('a\nb\\u001b');
  });

  it('is exact JSON all the same', () => {
    fc.assert(
      fc.property(texts, texts, (name, value) => {
        const object = { [`k${name}`]: [value, { value }] };
        for (const text of [jsonText(object), jsonText(object, 2), safeJson(JSON.stringify(object))]) {
          expect(unsafeIn(text)).toEqual([]);
          expect(JSON.parse(text)).toEqual(object);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a page', () => {
  it('holds none of these characters, in its text, its fields and its blocks of lines', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const page = html`<p title="${text}">${text}</p><input value="${fieldValue(text)}"><pre>${preformatted(text)}</pre>`;
        expect(unsafeIn(page.text)).toEqual([]);
        expect(page.text.replace(/^<p title="|<\/?p>|<input value="|<\/?pre>|">/g, '')).not.toMatch(/[<>"]/);
      }),
    );
  });

  it('gives the value of a field back as it was', () => {
    const text = '\u202e"\u200b<&\u{e0041}';
    const read = fieldValue(text).text.replace(
      /&(?:#x([0-9a-f]+)|(\w+)|#(\d+));/g,
      (_, hex, name, decimal) =>
        name
          ? (({ amp: '&', lt: '<', gt: '>', quot: '"' } as Record<string, string>)[name] ?? '')
          : String.fromCodePoint(hex ? Number.parseInt(hex, 16) : Number(decimal)),
    );
    expect(read).toBe(text);
  });
});
