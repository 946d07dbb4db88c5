import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure } from '../../src/sources/failure.ts';
import { readFlatJson, WantedNames } from '../../src/sources/flat-json.ts';
import { readJson } from '../../src/sources/json.ts';
import { fieldReader } from '../../src/sources/native.ts';
import { fuzz } from '../domain/fuzzing.ts';

const WANTED: ReadonlySet<string> = new Set(['a', 'b', '__proto__', '']);

const NAMES = new WantedNames(WANTED);

const read = (text: string) => readFlatJson(text, NAMES);

describe('a flat object', () => {
  it('is read as far as it is wanted', () => {
    expect(read('{"a":"1","x":"2","b":""}')).toEqual({ a: '1', b: '' });
    expect(read('{"x":["1","2"],"y":-1.5e3,"z":true,"n":null,"s":"\\"}","a":"ü \\u0000"}')).toBeUndefined();
    expect(read('{"x":["1","2"],"y":-1.5e3,"z":true,"n":null,"s":"\\\\\\"}","a":"ü,\u007f"}')).toEqual({
      a: 'ü,\u007f',
    });
    expect(read('{"a":"1","a":"1"}')).toEqual({ a: '1' });
    expect(Object.keys(read('{"__proto__":"1"}') ?? {})).toEqual(['__proto__']);
  });

  it.each([
    ['', 'no text'],
    ['{}', 'no fields'],
    ['{ "a":"1"}', 'a blank'],
    ['{"a":"1"} ', 'a blank at the end'],
    ['{"a":1}', 'a wanted number'],
    ['{"a":null}', 'a wanted null'],
    ['{"a":["1"]}', 'a wanted list'],
    ['{"x":{}}', 'an object'],
    ['{"x":[]}', 'an empty list'],
    ['{"x":[1]}', 'a list of numbers'],
    ['{"a":"1","a":"2"}', 'a wanted name twice'],
    ['{"\\u0061":"1"}', 'an escaped name'],
    ['{"a":"\\u0031"}', 'a wanted escape'],
    ['{"x":"\\q"}', 'a wrong escape'],
    ['{"x":"\n"}', 'a line break in a text'],
    ['{"x":01}', 'a wrong number'],
    ['{"x":tru}', 'a wrong word'],
    ['{"x":"1"', 'no end'],
    ['{"x":"1"}}', 'more after the end'],
    ['{"x":"1",}', 'a comma too many'],
    ['{"x":["1",]}', 'a comma too many in a list'],
    ['{"x":["1"}', 'a list without an end'],
    ['{"x"', 'a name alone'],
    ['{"x":', 'no value'],
    ['{x:"1"}', 'a name without quotes'],
    ['["a"]', 'a list'],
  ])('%s is left to the general reader: %s', (text) => {
    expect(read(text)).toBeUndefined();
  });
});

/** JSON as switches write it, and what is nearly that. */
const text = fc.stringMatching(/^[a"\\{}[\],: 1u]{0,6}$/);
const name = fc.oneof(fc.constantFrom('a', 'b', 'x', '__proto__'), text);
const value = fc.oneof(
  text,
  fc.constantFrom('1', '', 'ü', '\u0000', '\ud800'),
  fc.array(text),
  fc.double(),
  fc.constant(null),
);
const record = fc.array(fc.tuple(name, value), { maxLength: 5 }).map((pairs) => {
  const members = pairs.map(([key, each]) => `${JSON.stringify(key)}:${JSON.stringify(each)}`);
  return `{${members.join(',')}}`;
});
const broken = fc
  .tuple(record, fc.nat(40), text)
  .map(([json, at, more]) => json.slice(0, at) + more + json.slice(at));

describe('whatever it reads', () => {
  it('the general reader reads alike', () => {
    fuzz(
      fc.property(fc.oneof(record, broken), (json) => {
        const flat = read(json);
        if (flat === undefined) return;
        const whole = readJson(json);
        expect(whole).not.toBeInstanceOf(Failure);
        for (const each of WANTED) {
          const field = fieldReader([each], true);
          expect(asText(field(flat))).toEqual(asText(field(whole)));
        }
      }),
    );
  });
});

function asText(value: string | Failure): unknown {
  return value instanceof Failure ? { ...value } : value;
}
