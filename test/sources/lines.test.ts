import { stringify } from 'node:querystring';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeaderError, splitterOf } from '../../src/sources/lines.ts';
import type { FeedSpec } from '../../src/sources/schema.ts';
import { RECORD_MAX } from '../../src/sources/splitter.ts';
import { fuzz } from '../domain/fuzzing.ts';
import { feedIn } from './feeds.ts';

function specOf(format: string): FeedSpec {
  return feedIn(`{ x: { exchange: x, as: x, machines: [m], format: ${format}, call: {
    uniqueid: { constant: "1" }, machine: { constant: m }, scustomer: { constant: "1" }, start: { constant: "1", time: s } } } }`)
    .spec;
}

/** The records of a file, each with the line that it begins in. */
function recordsOf(format: string, text: string): [number, string][] {
  const splitter = splitterOf(specOf(format));
  const records = [...text.split('\n').flatMap((line) => splitter.take(line)), ...splitter.end()];
  return records.map(({ line, text: record }) => [line, record]);
}

describe('a file of JSON', () => {
  it('may have one record a line; a broken line is a record by itself', () => {
    expect(recordsOf('json', '\ufeff{"a": 1.50}\n\n{"a": \n{"a": 2}\n')).toEqual([
      [1, '{"a": 1.50}'],
      [3, '{"a":'],
      [4, '{"a": 2}'],
    ]);
  });

  it('may have records over several lines, one after another', () => {
    expect(recordsOf('json', '{\n "a": "}\\"{",\n "b": [1, {}]\n}\n{"a": 2} {"a": 3}')).toEqual([
      [1, '{\n "a": "}\\"{",\n "b": [1, {}]\n}'],
      [5, '{"a": 2}'],
      [5, '{"a": 3}'],
    ]);
  });

  it('may be an array; every digit stays', () => {
    expect(recordsOf('json', '[{"a": 1.50}, {"a": 12345678901234567890}\n,{"a":\n3}]')).toEqual([
      [1, '{"a": 1.50}'],
      [1, '{"a": 12345678901234567890}'],
      [2, '{"a":\n3}'],
    ]);
  });

  it('gives what is no record as one, to be refused with its line', () => {
    expect(recordsOf('json', '[\nnonsense\n{"a": 1}]')).toEqual([
      [2, 'nonsense'],
      [3, '{"a": 1}'],
    ]);
    expect(recordsOf('json', '{\n"a": "never closed\n')).toEqual([[1, '{\n"a": "never closed']]);
  });

  it('gives back the records that were written, however they are laid out', () => {
    const record = fc.dictionary(
      fc.string(),
      fc.json().map((text) => JSON.parse(text) as unknown),
    );
    fuzz(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 5 }),
        fc.nat(3),
        fc.boolean(),
        (records, indent, isArray) => {
          const text = isArray
            ? JSON.stringify(records, null, indent)
            : records.map((each) => JSON.stringify(each, null, indent)).join('\n');
          expect(recordsOf('json', text).map(([, each]) => JSON.parse(each))).toEqual(
            JSON.parse(JSON.stringify(records)),
          );
        },
      ),
    );
  });
});

describe('a file of CSV', () => {
  it('has records that end with their line outside quotes', () => {
    expect(recordsOf('csv, columns: [a, b]', '1,"x\ny"\n\n2,z\r\n3,"open')).toEqual([
      [1, '1,"x\ny"'],
      [4, '2,z\r'],
      [5, '3,"open'],
    ]);
  });

  it('may begin with a number of lines, with lines of a kind, or with the names of its columns', () => {
    const text = 'a,b\n1,2';
    expect(recordsOf('csv, columns: [a, b], header: 1', text)).toEqual([[2, '1,2']]);
    expect(recordsOf('csv, columns: [a, b], header: { starts: a }', text)).toEqual([[2, '1,2']]);
    expect(recordsOf('csv, columns: [a, b], header: columns', text)).toEqual([[2, '1,2']]);
  });

  it('is refused where its header names other columns than the source', () => {
    expect(() => recordsOf('csv, columns: [b, a], header: columns', 'a,b\n1,2')).toThrow(HeaderError);
  });

  it('never leaves out a line of the header or the trailer elsewhere', () => {
    const format = 'csv, columns: [a, b], header: { starts: H }, trailer: { starts: T }';
    expect(recordsOf(format, 'H,1\nT,2\nH,3\nT,4\nT,5')).toEqual([
      [2, 'T,2'],
      [3, 'H,3'],
    ]);
  });
});

describe('a quoted field that never ends', () => {
  it('is given up in time that grows with its length only, and the record after it is read', () => {
    const quotes = Array.from({ length: RECORD_MAX / 2 }, () => '""').join('\n');
    const records = recordsOf('csv, columns: [a, b]', `1,"open\n${quotes}\n2,z`);
    expect(records.at(-1)?.[1]).toBe('2,z');
    expect(records.every(([, text]) => text.length < RECORD_MAX + 10)).toBe(true);
  });

  it.each([
    ['a doubled quote at the end of a line', '1,"x""\ny"\n2,z', ['1,"x""\ny"', '2,z']],
    ['another quoted field behind its end', '1,"x\ny","z\nend"\n2,z', ['1,"x\ny","z\nend"', '2,z']],
    ['text behind its end', '1,"x\ny"z\n2,z', ['1,"x\ny"z', '2,z']],
    ['a quote in the middle of a field behind it', '1,"x\ny",z"\n2,z', ['1,"x\ny",z"', '2,z']],
  ])('has %s read as in one text', (_, text, expected) => {
    expect(recordsOf('csv, columns: [a, b, c]', text).map(([, record]) => record)).toEqual(expected);
  });
});

describe('files of other formats', () => {
  it('have one record a line, without as many at the end as the trailer says', () => {
    expect(
      recordsOf('positional, fields: { a: 1-2 }, header: 1, trailer: 2', 'head\nab\ncd\nef\ngh\n'),
    ).toEqual([
      [2, 'ab'],
      [3, 'cd'],
    ]);
    expect(recordsOf('form', `${stringify({ a: '1\n2' })}\n\nb=1`)).toEqual([
      [1, 'a=1%0A2'],
      [3, 'b=1'],
    ]);
  });
});
