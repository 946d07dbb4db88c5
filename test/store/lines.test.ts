import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Lines, type Value } from '../../src/store/persist/lines.ts';
import { fuzz } from '../domain/fuzzing.ts';

function written(rows: readonly (readonly Value[])[]): string {
  const lines = new Lines(rows.length);
  for (const row of rows) {
    for (const value of row) lines.add(value);
    lines.endLine();
  }
  return lines.all().toString();
}

const value = fc.oneof(
  fc.constant(null),
  fc.maxSafeInteger(),
  fc.nat(),
  fc.constantFrom(0, -0, 0.5, -1, 9, 10, 2 ** 53 - 1, 1e21),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('a', 'é', '€', '😀'), minLength: 500, maxLength: 2000 }),
);

it('values of a batch are joined by tabs and line feeds, in UTF-8 and whatever room they take', () => {
  fuzz(
    fc.property(fc.array(fc.array(value, { minLength: 1, maxLength: 8 }), { maxLength: 5 }), (rows) => {
      const joined = rows.map((row) => row.join('\t')).join('\n');
      expect(written(rows)).toBe(Buffer.from(joined).toString());
    }),
  );
});
