import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { arrayText } from '../../src/store/array-text.ts';
import { fuzz } from '../domain/fuzzing.ts';

const { parse } = createRequire(import.meta.url)('postgres-array') as {
  parse: <Item>(text: string, read?: (item: string) => Item) => Item[];
};

it('a list is read back as it was, whatever its texts are', () => {
  const unit = fc.oneof(
    fc.constantFrom('"', '\\', ',', '{', '}', ' ', '', 'NULL', 'é'),
    fc.string({ unit: 'binary' }),
  );
  fuzz(
    fc.property(
      fc.array(fc.option(unit)),
      fc.array(fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }))),
      (texts, numbers) => {
        expect(parse(arrayText(texts))).toEqual(texts);
        expect(parse(arrayText(numbers), Number)).toEqual(numbers.map((number) => number + 0));
      },
    ),
  );
});
