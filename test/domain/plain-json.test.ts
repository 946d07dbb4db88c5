import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlainJson } from '../../src/domain/plain-json.ts';
import { fuzz } from './fuzzing.ts';

const BYTES = 60;
const json = new PlainJson(BYTES);

function written(texts: readonly string[]): string | undefined {
  json.start('[0');
  for (const text of texts) {
    json.add(',');
    json.addText(text);
  }
  const bytes = json.end(']');
  return bytes && Buffer.from(bytes).toString('latin1');
}

describe('plain JSON', () => {
  it('is what JSON.stringify writes, as far as that needs no escapes and fits', () => {
    const unit = fc.oneof(
      { weight: 30, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 1 }) },
      { weight: 1, arbitrary: fc.constantFrom('"', '\\', '\n', '\u007f', 'é', '€', '\ud800', '😀') },
    );
    fuzz(
      fc.property(fc.array(fc.string({ unit, maxLength: 20 }), { maxLength: 5 }), (texts) => {
        const whole = JSON.stringify([0, ...texts]);
        const isPlain = texts.every((text) => /^[\u0020-\u007f]*$/.test(text) && !/["\\]/.test(text));
        expect(written(texts)).toBe(isPlain && whole.length <= BYTES ? whole : undefined);
      }),
    );
  });

  it('has whole numbers as JSON.stringify writes them, as far as there is room for any', () => {
    const whole = fc.oneof(fc.maxSafeNat(), fc.nat(), fc.nat(200), fc.constantFrom(9, 10, 2 ** 53 - 1));
    fuzz(
      fc.property(fc.array(whole, { maxLength: 3 }), (values) => {
        json.start('[0');
        for (const value of values) {
          json.add(',');
          json.addWhole(value);
        }
        expect(Buffer.from(json.end(']') ?? []).toString()).toBe(JSON.stringify([0, ...values]));
      }),
    );
    json.start('x'.repeat(BYTES - 5));
    json.addWhole(2 ** 53 - 1);
    expect(json.end(']')).toBeUndefined();
  });

  it.each([-1, 0.5, 2 ** 53, Number.NaN])('is not made of another number: %s', (value) => {
    json.start('[');
    json.addWhole(value);
    expect(json.end(']')).toBeUndefined();
  });

  it('keeps nothing of what was written before', () => {
    expect(written(['é'])).toBeUndefined();
    expect(written(['e'])).toBe('[0,"e"]');
    expect(written(['x'.repeat(BYTES)])).toBeUndefined();
    expect(written([])).toBe('[0]');
  });
});
