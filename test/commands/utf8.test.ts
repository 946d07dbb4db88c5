import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeExactly, encodeExactly, unfinished } from '../../src/commands/utf8.ts';
import { fuzz } from '../domain/fuzzing.ts';

/** Bytes as files have them: text in which some bytes are damaged. */
const bytes = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 4 }).map((some) => Buffer.from(some)),
      fc
        .constantFrom('c080', 'eda080', 'f4908080', 'efbfbd', 'efbbbf', 'f09f98')
        .map((hex) => Buffer.from(hex, 'hex')),
    ),
  )
  .map((parts) => Buffer.concat(parts));

describe('text of bytes', () => {
  it('gives back every byte', () => {
    fuzz(
      fc.property(bytes, (given) => {
        expect(encodeExactly(decodeExactly(given)).equals(given)).toBe(true);
      }),
    );
  });

  it('is well-formed where the bytes are UTF-8, and then the text that they are', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    fuzz(
      fc.property(bytes, (given) => {
        const text = decodeExactly(given);
        if (text.isWellFormed()) expect(text).toBe(strict.decode(given));
        else expect(() => strict.decode(given)).toThrow();
      }),
    );
  });

  it('is the same where it is read in parts that end before what is unfinished', () => {
    fuzz(
      fc.property(bytes, fc.nat(), (given, at) => {
        const cut = given.length === 0 ? 0 : at % given.length;
        const end = cut - unfinished(given.subarray(0, cut));
        expect(cut - end).toBeLessThan(4);
        expect(decodeExactly(given.subarray(0, end)) + decodeExactly(given.subarray(end))).toBe(
          decodeExactly(given),
        );
      }),
    );
  });
});
