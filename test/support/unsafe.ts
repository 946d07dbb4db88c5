/** A text with every kind of character that a terminal or browser obeys or hides; PostgreSQL can store it. */
export const HOSTILE =
  'evil\u001b]0;title\u0007\u001b[2J\u009b31m\u0085\u007f\r\ncall 1: 204 \u202egnp\u2066x\u2069\u200f\u061c\u200b\u200d\u2060\ufeff\u2028\u2029\u00ad\u{e0041}';

const RANGES: readonly (readonly [number, number])[] = [
  [0x00, 0x08],
  [0x0b, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x61c, 0x61c],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x2069],
  [0xd800, 0xdfff],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0xe0000, 0xe007f],
];

/** The code points in the text that must not be shown. Line feeds and tabs are left to the caller. */
export function unsafeIn(text: string): string[] {
  const found = Array.from(text, (character) => character.codePointAt(0) ?? 0).filter((point) =>
    RANGES.some(([from, to]) => point >= from && point <= to),
  );
  return [...new Set(found)].map((point) => `U+${point.toString(16).toUpperCase().padStart(4, '0')}`);
}
