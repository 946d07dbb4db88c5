import { describe, expect, it } from 'vitest';
import { readBody } from '../../src/domain/body.ts';

const isDecimal = (name: string) => name === 'cost';
const json = (text: string) => readBody(text, 'json', isDecimal);
const fieldsOf = (body: ReturnType<typeof json>): Record<string, unknown> =>
  body.kind === 'fields' ? { ...body.fields } : body;

describe('a JSON body', () => {
  it.each([
    ['999999999999.999999', '999999999999.999999'],
    ['-999999999999.999999', '-999999999999.999999'],
    ['123456789012.345678', '123456789012.345678'],
    ['9007199254740993', '9007199254740993'],
    ['0.1234567890123456789', '0.1234567890123456789'],
    ['12345678901234567890', '12345678901234567890'],
    ['1e3', '1000'],
    ['1.5E-6', '0.0000015'],
    ['-0e0', '0'],
    ['1.0000000000000000', '1'],
  ])('reads the decimal %s digit by digit', (written, expected) => {
    expect(fieldsOf(json(`{"cost":${written}}`))).toEqual({ cost: expected });
    expect(fieldsOf(json(`{ "x" : [ 1 ] , "cost" :\n ${written} }`))).toMatchObject({ cost: expected });
  });

  it('reads decimals that a double holds the quick way, to the same digits', () => {
    for (const written of ['0.1', '0.3', '1234.567891', '-0.000001', '99999999.999999', '12.50']) {
      expect(String(Number(written))).toBe(String(fieldsOf(json(`{"cost":${written}}`)).cost));
    }
  });

  it('reads whole numbers as numbers where that is safe and else as their digits', () => {
    const text = '{"a":1e3,"b":12345678901234567890,"c":1.0,"d":-5,"e":9007199254740993,"f":1e25}';
    expect(fieldsOf(json(text))).toEqual({
      a: 1000,
      b: '12345678901234567890',
      c: 1,
      d: -5,
      e: '9007199254740993',
      f: '10000000000000000000000000',
    });
  });

  it('never reads a number as another one that happens to be in range', () => {
    for (const written of [
      '1e400',
      '-1e400',
      '1e999999999',
      '1e-99999999999999999999',
      '1.00000000000000000001',
    ]) {
      expect(JSON.stringify(fieldsOf(json(`{"a":${written}}`)))).toBe(`{"a":"${written}"}`);
    }
  });

  it.each([
    ['the same value', '{"a":1,"a":1}'],
    ['different values', '{"a":1,"b":2,"a":3}'],
    ['an escaped name', '{"a":1,"\\u0061":1}'],
    ['blanks around it', '{"a":1,"a"\n\t :1}'],
    ['values that look like names', '{"x":"\\"a\\":","a":1,"y":"a","a":1}'],
    ['objects between', '{"a":{"b":[{"a":1}]},"c":[{}],"a":1}'],
  ])('with a repeated name is refused on that name: %s', (_, text) => {
    expect(json(text)).toMatchObject({ kind: 'unreadable', key: 'a' });
    expect(json(text.replace(':1', ':1e0'))).toMatchObject({ kind: 'unreadable', key: 'a' });
  });

  it('is read without its repeated names', () => {
    const text = '{"a":1,"b":2,"c":3,"a":1,"c":4,"cost":0.1234567890123456789}';
    expect(json(text)).toMatchObject({ kind: 'unreadable', key: 'a' });
    expect({ ...json(text).fields }).toEqual({ b: 2, cost: '0.1234567890123456789' });
  });

  it('with repeated names within a value, or in it and beside it, repeats no parameter', () => {
    expect(json('{"a":1,"b":{"a":2}}')).toMatchObject({ kind: 'fields', fields: { a: 1 } });
    expect(json('{"b":{"a":2,"a":3},"a":1}')).toMatchObject({ kind: 'fields', fields: { a: 1 } });
    expect(json('{"b":[{"a":2},{"a":3}],"a":1}')).toMatchObject({ kind: 'fields', fields: { a: 1 } });
  });

  it('repeats no name that only differs in case or blanks', () => {
    expect(fieldsOf(json('{"a":1,"A":2," a":3}'))).toEqual({ a: 1, A: 2, ' a': 3 });
  });

  it('reads texts that hold JSON as texts', () => {
    const value = '{"a":1,"a":2} \\ "x": [';
    expect(fieldsOf(json(JSON.stringify({ a: value, b: 'x":1' })))).toEqual({ a: value, b: 'x":1' });
  });

  it.each([
    '',
    ' ',
    '\n',
    '{',
    '}',
    '{"a"}',
    '{"a":1,}',
    "{'a':1}",
    '{"a":01}',
    '{"a":+1}',
    '{"a":.5}',
    '{"a":NaN}',
  ])('that is not JSON is refused as a whole: %j', (text) => {
    expect(json(text)).toMatchObject({ kind: 'unreadable', key: '' });
  });

  it.each([
    ['null', 'null'],
    ['true', 'a boolean'],
    ['1', 'a number'],
    ['"a"', 'a string'],
    ['[]', 'an array'],
    ['[{"a":1}]', 'an array'],
  ])('that is not an object is refused as a whole: %s', (text, name) => {
    expect(json(text)).toMatchObject({ kind: 'unreadable', key: '', message: expect.stringContaining(name) });
  });

  it('says where it is broken but never quotes it', () => {
    expect(json('{"a":1 "b":2}')).toMatchObject({
      message: expect.stringMatching(/unexpected character at position 7$/),
    });
    expect(json('')).toMatchObject({ message: expect.stringMatching(/an empty body$/) });
    for (const text of [
      '{"a":"hunter2',
      '{"a":hunter2}',
      'hunter2',
      '"in JSON at position 4711" x',
      '{"a":"\nhunter2"}',
    ]) {
      expect(JSON.stringify(json(text))).not.toMatch(/hunter2|4711/);
    }
  });

  it('with nothing in it is read, and so is white space around it', () => {
    expect(fieldsOf(json('{}'))).toEqual({});
    expect(fieldsOf(json(' \r\n\t{ } \n'))).toEqual({});
  });

  it('may be nested 16 levels deep and not more', () => {
    const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    expect(json(nested(16)).kind).toBe('fields');
    expect(json(nested(17))).toMatchObject({ kind: 'unreadable', key: '' });
    expect(json(`{"a":${'['.repeat(100_000)}`)).toMatchObject({ kind: 'unreadable', key: '' });
    expect(json(`{"a":"${'[{'.repeat(100)}\\"${'[{'.repeat(100)}"}`).kind).toBe('fields');
  });

  it('reads __proto__ and the like as names of parameters', () => {
    for (const text of [
      '{"__proto__":{"cost":1},"constructor":1}',
      '{"__proto__":1e5,"constructor":{"a":1}}',
    ]) {
      const body = json(text);
      expect(body.kind === 'fields' && Object.keys(body.fields)).toEqual(['__proto__', 'constructor']);
      expect(body.kind === 'fields' && body.fields.cost).toBe(undefined);
    }
    expect(json('{"__proto__":1,"__proto__":1}')).toMatchObject({ kind: 'unreadable', key: '__proto__' });
  });

  it('with a byte order mark in its text is refused: decoding takes it away', () => {
    expect(json('\uFEFF{}')).toMatchObject({ kind: 'unreadable', key: '' });
  });

  it('of any size is read, whatever is long in it', () => {
    const size = 500_000;
    const long = ['a', '\\n', '\\"', ':1', '{', ' '].map((part) => part.repeat(size / part.length));
    // The largest body that can be configured: recursion or backtracking would run out of stack here.
    long.push('a'.repeat(16_000_000));
    for (const text of long) expect(json(`{"a":1e5,"b":"${text}"}`).kind).toBe('fields');
    expect(json(`{"cost":${'1'.repeat(size)}}`).kind).toBe('fields');
    expect(json(`{"a":${' '.repeat(size)}1e1}`)).toMatchObject({ fields: { a: 10 } });
  });

  it('with a repeated name of any length is answered with a short one', () => {
    const name = 'x'.repeat(5000);
    expect(json(`{"${name}":1,"${name}":1}`)).toMatchObject({ key: `${'x'.repeat(99)}…` });
  });
});
