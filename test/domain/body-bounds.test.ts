import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBody } from '../../src/domain/body.ts';
import { isDecimal } from '../../src/domain/contract.ts';
import { NumberToken } from '../../src/domain/json-number.ts';
import { cut, TEXT_MAX } from '../../src/domain/text.ts';
import { validate } from '../../src/domain/validate.ts';
import { fuzz } from './fuzzing.ts';

const LIMIT = 200;
const read = (text: string, format: 'json' | 'form') => readBody(text, format, isDecimal);

/** Parameters, items and characters that were made of a body. */
function made(value: unknown): { values: number; characters: number } {
  if (value instanceof NumberToken) return { values: 1, characters: value.text.length };
  if (typeof value !== 'object' || value === null) return { values: 1, characters: String(value).length };
  return Object.entries(value).reduce(
    (sum, [name, each]) => {
      const inner = made(each);
      return {
        values: sum.values + inner.values,
        characters: sum.characters + name.length + inner.characters,
      };
    },
    { values: 1, characters: 0 },
  );
}

function numbered(count: number, one: (index: number) => string, between: string): string {
  return Array.from({ length: count }, (_, index) => one(index)).join(between);
}

describe('what a body is made into', () => {
  it.each([
    ['names', (count: number) => `{${numbered(count, (i) => `"name-${i}":1`, ',')}}`],
    ['names before blanks', (count: number) => `{${numbered(count, (i) => `"name-${i}" : 1`, ' , ')}}`],
    ['one name', (count: number) => `{${numbered(count, () => '"the same":1', ',')}}`],
    ['items of a list', (count: number) => `{"a":[${numbered(count, () => '1234567890', ',')}]}`],
    ['empty objects', (count: number) => `{"a":[${numbered(count, () => '{        }', ',')}]}`],
    [
      'numbers that need every digit',
      (count: number) => `{${numbered(count, (i) => `"name-${i}":1e299`, ',')}}`,
    ],
  ])('has a bounded number of %s', (_, text) => {
    expect(read(text(LIMIT * 2), 'json')).toMatchObject({ kind: 'unreadable', key: '', fields: {} });
    expect(read(text(5000), 'json')).toMatchObject({
      kind: 'unreadable',
      fields: {},
      message: `body has more than ${LIMIT} parameters`,
    });
  });

  it.each([';', '&'])('has a bounded number of pairs of a form split by %s', (between) => {
    const form = (count: number) => numbered(count, (i) => `n${i}=1`, between);
    expect(read(form(LIMIT), 'form')).toMatchObject({ kind: 'fields' });
    for (const count of [LIMIT + 1, 37_000])
      expect(read(form(count), 'form')).toEqual({
        kind: 'unreadable',
        fields: {},
        key: '',
        message: `body has more than ${LIMIT} parameters`,
      });
  });

  it('may hold any number of commas and colons within texts', () => {
    const callerid = ',:,\\":,'.repeat(3000);
    expect(read(`{"callerid":"${callerid}","uniqueid":"a"}`, 'json')).toMatchObject({
      kind: 'fields',
      fields: { uniqueid: 'a' },
    });
  });

  it('has no number that stands for many more digits than were sent', () => {
    const body = read(`{${numbered(190, (i) => `"name-${i}":1e299`, ',')}}`, 'json');
    expect(made(body.fields).characters).toBeLessThan(10_000);
    expect(body.kind).toBe('fields');
  });

  it('keeps the digits of the numbers that follow one without a bound', () => {
    const fields = { ...read('{"a":1e400,"b":1e99999999999999999,"cost":1e2}', 'json').fields };
    expect(fields).toMatchObject({ cost: '100' });
  });

  it('leaves a number of more digits than any parameter takes as it came, and that is refused', () => {
    const { fields } = read(`{"cost":${'9'.repeat(60_000)}}`, 'json');
    expect(fields.cost).toBeInstanceOf(NumberToken);
    const validation = validate(fields, new Set());
    expect(validation.kind === 'invalid' && validation.errors.map(({ key }) => key)).toContain('cost');
  });

  it('is never more than a few times its size, whatever the body', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        '"',
        ':',
        ',',
        '"a":',
        '1e299',
        '9'.repeat(40),
        '&a=',
        ';',
        '%41',
        '\\u0001',
      ),
      fc.string({ unit: 'binary', maxLength: 4 }),
    );
    const bodies = fc
      .tuple(fc.array(fc.tuple(piece, fc.integer({ min: 1, max: 3000 })), { maxLength: 4 }), fc.boolean())
      .map(([parts, isObject]) => {
        const text = parts.map(([part, times]) => part.repeat(times)).join('');
        return isObject
          ? `{"x":1e5,"y":[${numbered(parts.length * 40, () => '1e300', ',')}],"z":"${text}"}`
          : text;
      });
    fuzz(
      fc.property(bodies, fc.constantFrom<'json' | 'form'>('json', 'form'), (text, format) => {
        const { values, characters } = made(read(text, format).fields);
        // A short text may have more, but no more than it has room for.
        expect(values).toBeLessThanOrEqual(Math.max(1000, LIMIT + 1));
        expect(characters).toBeLessThanOrEqual(3 * text.length + 5000);
      }),
    );
  });
});

describe('an escape of a form that is no UTF-8', () => {
  it.each(['uniqueid', 'machine', '%75niqueid'])('is refused on %s', (name) => {
    for (const value of ['call-%E9', 'call-%E8', '%ED%A0%80', '%C3', '%zz%FF', 'é%FF']) {
      const body = read(`auth_username=a&${name}=${value}&cost=1`, 'form');
      expect(body).toMatchObject({
        kind: 'unreadable',
        key: name.replace('%75', 'u'),
        fields: { auth_username: 'a', cost: '1' },
      });
    }
  });

  it('becomes U+FFFD elsewhere', () => {
    expect(read('callerid=%E9', 'form').fields).toEqual({ callerid: '\uFFFD' });
  });

  it('is told from U+FFFD itself, and from a percent sign that begins no escape', () => {
    for (const value of ['%EF%BF%BD', '\uFFFD', '%', '%zz\uFFFD', 'a+b%20\uFFFD'])
      expect(read(`uniqueid=${value}`, 'form').kind).toBe('fields');
  });
});

describe('text that is cut', () => {
  it('has so many code points, and no half of one', () => {
    fuzz(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.integer({ min: 0, max: 40 }),
        (text, length) => {
          expect(cut(text, length)).toBe(Array.from(text).slice(0, length).join(''));
        },
      ),
    );
    expect(cut('\u{1f600}'.repeat(TEXT_MAX + 1), TEXT_MAX)).toBe('\u{1f600}'.repeat(TEXT_MAX));
  });
});
