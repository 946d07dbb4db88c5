import { stringify } from 'node:querystring';
import { parse as parseCsvFile } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { amount, plain } from '../../src/domain/money.ts';
import { Failure } from '../../src/sources/failure.ts';
import { readJson } from '../../src/sources/json.ts';
import { type Mapped, mapRecord } from '../../src/sources/map.ts';
import { Ambiguous, fieldReader } from '../../src/sources/native.ts';
import { readCsv, readForm, readPositional } from '../../src/sources/rows.ts';
import { decimalText, fuzz } from '../domain/fuzzing.ts';
import { feedIn, PRESETS, preset } from './feeds.ts';

const feeds = PRESETS.map((name) => feedIn(preset(name)));
const files = feedIn(`csv:
  exchange: x
  as: x
  machines: [m]
  format: csv
  columns: [id, start, cost]
  call: { uniqueid: id, machine: { constant: m }, scustomer: { constant: 1 }, start: { from: start, time: s }, cost: cost }
`);
const form = feedIn(`form:
  exchange: x
  as: x
  machines: [m]
  format: form
  call: { uniqueid: { join: [a, b] }, machine: m, scustomer: c, start: { from: t, time: iso }, cost: { from: cost, decimal: {} } }
`);
const positional = feedIn(`positional:
  exchange: x
  as: x
  machines: [m]
  format: positional
  fields: { id: 1-8, start: 9-20 }
  call: { uniqueid: id, machine: { constant: m }, scustomer: { constant: 1 }, start: { from: start, time: s } }
`);
const all = [...feeds, files, form, positional];

/** Names that the presets read, so that arbitrary values stand where they are looked at. */
const names = [...new Set(PRESETS.flatMap((name) => preset(name).match(/[\w-]+(?:\.[\w-]+)*/g) ?? []))];
const text = fc.string({ unit: 'binary' });
const leaf = fc.oneof(
  text,
  fc.constantFrom(
    '',
    '0',
    '1790000000',
    '1m0s',
    '2026-09-21T14:13:20Z',
    'sip:@',
    '<>',
    '%',
    '%zz',
    '__proto__',
  ),
  fc.double(),
  fc.bigInt(),
  fc.boolean(),
  fc.constant(null),
);

/** JSON as text, numbers of any size in it. */
function json(value: unknown): string {
  return JSON.stringify(value, (_, each) =>
    typeof each === 'bigint' ? `\u0000${each}\u0000` : each,
  ).replace(/"\\u0000(-?\d+)\\u0000"/g, '$1');
}

const flat = fc.dictionary(fc.oneof(fc.constantFrom(...names), text), fc.oneof(leaf, fc.array(leaf)), {
  maxKeys: 40,
});
const nested = fc.record({
  variables: flat,
  params: flat,
  callflow: fc.array(fc.record({ caller_profile: flat })),
  'Custom-Channel-Vars': fc.oneof(flat, leaf),
});
const records = fc.oneof(
  flat.map(json),
  nested.map(json),
  fc.tuple(flat, nested).map(([a, b]) => json({ ...a, ...b })),
);

/** What every result must be. */
function expectResult(mapped: Mapped): void {
  if (mapped.kind === 'skip') expect(typeof mapped.value).toBe('string');
  else if (mapped.kind === 'unmapped') expect(mapped.errors.length).toBeGreaterThan(0);
  else {
    const values = Object.values(mapped.fields);
    expect(values.every((value) => typeof value === 'string' || Number.isInteger(value))).toBe(true);
    expect(values).not.toContain('');
    for (const lookup of mapped.lookups)
      if (lookup.parameter !== 'peer') expect(lookup.at).toBe(mapped.fields.start);
  }
}

describe('mapping', () => {
  it('gives a result for arbitrary JSON', () => {
    fuzz(
      fc.property(records, (record) => {
        for (const feed of all) expectResult(mapRecord(feed, record));
      }),
    );
  });

  it('gives a result for arbitrary text and bytes', () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each).toString('utf8'));
    const pieces = fc.array(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        '"',
        ':',
        ',',
        '\\',
        '1',
        '1e9',
        'null',
        'a',
        '=',
        '&',
        '%',
        ';',
        '\n',
      ),
    );
    fuzz(
      fc.property(
        fc.oneof(
          text,
          bytes,
          pieces.map((each) => each.join('')),
          fc.json(),
        ),
        (record) => {
          for (const feed of all) expectResult(mapRecord(feed, record));
        },
      ),
    );
  });

  it('gives a result for JSON of any depth and size', () => {
    for (const record of [
      '['.repeat(100_000),
      '{"a":'.repeat(100_000),
      `{"id":${'9'.repeat(100_000)}}`,
      `{"a":1e${'9'.repeat(1000)}}`,
      '"'.repeat(99_999),
    ])
      for (const feed of all) expectResult(mapRecord(feed, record));
  });

  it('never loses a digit of money, however the number is written', () => {
    const feed = feedIn(
      `x: { exchange: x, as: x, machines: [m], format: json, call: { uniqueid: id, machine: { constant: m }, scustomer: { constant: 1 }, start: { from: t, time: s }, cost: cost } }`,
    );
    fuzz(
      fc.property(decimalText, fc.boolean(), (digits, isText) => {
        const cost = isText ? `"${digits}"` : digits;
        const mapped = mapRecord(feed, `{"id":"1","t":1,"cost":${cost}}`);
        expect(mapped.kind === 'call' && mapped.fields.cost).toBe(digits);
      }),
    );
  });

  it('moves a decimal point without losing a digit', () => {
    const feed = feedIn(
      `x: { exchange: x, as: x, machines: [m], format: json, call: { uniqueid: id, machine: { constant: m }, scustomer: { constant: 1 }, start: { from: t, time: s }, cost: { from: cost, decimal: { shift: -6 } } } }`,
    );
    fuzz(
      fc.property(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), (millionths) => {
        const mapped = mapRecord(feed, `{"id":"1","t":1,"cost":${millionths}}`);
        const cost = String(mapped.kind === 'call' && mapped.fields.cost);
        expect(plain(amount(cost).times(1_000_000))).toBe(String(millionths));
      }),
    );
  });

  it('never makes two records one call: what differs in a part of uniqueid gives another uniqueid', () => {
    const feed = feedIn(
      `x: { exchange: x, as: x, machines: [m], format: json, call: { uniqueid: { join: [a, { constant: "x;%3B" }, b, c], by: ";" }, machine: { constant: m }, scustomer: { constant: 1 }, start: { from: t, time: s } } }`,
    );
    const part = fc.oneof(
      fc.string({
        unit: fc.constantFrom(';', '%', '2', '3', '5', 'B', 'b', 'a', '/', '0', '.', '1'),
        minLength: 1,
        maxLength: 6,
      }),
      fc.string({ minLength: 1 }),
    );
    const parts = fc.tuple(part, part, part);
    const uniqueid = ([a, b, c]: [string, string, string]): unknown => {
      const mapped = mapRecord(feed, JSON.stringify({ a, b, c, t: 1 }));
      return mapped.kind === 'call' ? mapped.fields.uniqueid : undefined;
    };
    fuzz(
      fc.property(parts, parts, (one, other) => {
        expect(uniqueid(one) === uniqueid(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
  });

  it('never makes two records one call where the uniqueid is a number', () => {
    const feed = feeds.find(({ name }) => name === 'yeti');
    const read = fieldReader(['id'], true);
    const uniqueid = (number: string) => read(feed?.read(`{"id":${number}}`));
    expect(uniqueid('1790000000.4120')).not.toBe(uniqueid('1790000000.412'));
    expect(uniqueid('9007199254740993')).not.toBe(uniqueid('9007199254740992'));
    expect(uniqueid('-0')).not.toBe(uniqueid('0'));
    expect(uniqueid('1e400')).not.toBe(uniqueid('1e401'));
  });
});

describe('formats', () => {
  it('read JSON as JSON.parse does, numbers as they are written', () => {
    fuzz(
      fc.property(fc.oneof(records, fc.json()), (record) => {
        const result = readJson(record);
        const parsed: unknown = JSON.parse(record);
        const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
        expect(result instanceof Failure).toBe(!isObject);
        if (isObject) expect(JSON.parse(JSON.stringify(result))).toEqual(asTexts(record));
      }),
    );
  });

  it('refuse what JSON.parse refuses', () => {
    fuzz(
      fc.property(
        records,
        fc.nat(),
        fc.constantFrom('', ',', '}', '"', '\\', '\n', ' ', '0'),
        (record, at, put) => {
          const cut = at % record.length;
          const broken = record.slice(0, cut) + put + record.slice(cut + 1);
          let isJson = true;
          try {
            JSON.parse(broken);
          } catch {
            isJson = false;
          }
          if (!isJson) expect(readJson(broken)).toBeInstanceOf(Failure);
        },
      ),
    );
  });

  it('know a name that stands twice only where it has two values', () => {
    expect(readJson('{"a": 1, "b": {"c": "x", "c": "y"}, "a": 1}')).toMatchObject({
      b: { c: new Ambiguous() },
    });
    expect(readForm('a=1&a=1&b=1&b=2')).toMatchObject({ a: '1', b: new Ambiguous() });
  });

  it('find every name that stands twice with two values, however both are written', () => {
    const name = fc.constantFrom('a', 'b', '\\u0061', 'a\\"', '\\\\', 'c');
    const value = fc.constantFrom(
      '"x"',
      '"y"',
      '"\\":"',
      '"a\\":\\"x"',
      '1',
      '1.0',
      '["x"]',
      '{"a":"x"}',
      'null',
    );
    fuzz(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 6 }), fc.boolean(), (pairs, isSpaced) => {
        const text = `{${pairs.map(([key, each]) => `"${key}"${isSpaced ? ' ' : ''}:${each}`).join(',')}}`;
        const given = new Map<string, Set<string>>();
        for (const [key, each] of pairs) {
          const read = String(JSON.parse(`"${key}"`));
          given.set(read, (given.get(read) ?? new Set()).add(each));
        }
        const record = readJson(text) as Record<string, unknown>;
        for (const [key, values] of given) expect(record[key] instanceof Ambiguous).toBe(values.size > 1);
      }),
    );
  });

  it('write nothing into prototypes', () => {
    for (const record of [
      readJson('{"__proto__": {"x": 1}, "a": 1.5}'),
      readForm('__proto__=x'),
      readCsv('x', { columns: ['__proto__'], separator: ',', quote: '"' }),
    ]) {
      expect((Object.prototype as Record<string, unknown>).x).toBeUndefined();
      expect(fieldReader(['x'], false)(record)).toBeInstanceOf(Failure);
      expect(fieldReader(['toString'], false)(record)).toBeInstanceOf(Failure);
      expect(fieldReader(['constructor', 'name'], false)(record)).toBeInstanceOf(Failure);
    }
  });

  it('read CSV as csv-parse does', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', 'é', '"', ',', ';', ' ', '\n', "'", '\\') });
    fuzz(
      fc.property(
        fc.array(cell, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(',', ';', '\t', '|'),
        (cells, separator) => {
          const quoted = cells.map((each) => `"${each.replaceAll('"', '""')}"`).join(separator);
          const columns = cells.map((_, index) => `c${index}`);
          const record = readCsv(quoted, { columns, separator, quote: '"' });
          const [expected] = parseCsvFile(quoted, { columns, delimiter: separator }) as Record<
            string,
            string
          >[];
          expect({ ...(record as object) }).toEqual(expected);
        },
      ),
    );
  });

  it('read forms as the web writes them', () => {
    const pairs = fc.dictionary(
      fc.string({ minLength: 1, unit: 'grapheme' }),
      fc.string({ unit: 'grapheme' }),
      { noNullPrototype: true },
    );
    fuzz(
      fc.property(pairs, (given) => {
        expect({ ...(readForm(stringify(given)) as object) }).toEqual({ ...given });
      }),
    );
  });

  it('refuse an escape that is no UTF-8 only in what tells calls apart', () => {
    const record = readForm('a=%ff');
    expect(fieldReader(['a'], false)(record)).toBe('\ufffd');
    expect(fieldReader(['a'], true)(record)).toBeInstanceOf(Failure);
  });

  it('refuse two lines in one message, whose second record would be lost', () => {
    const places = { id: { from: 1, length: 2 } };
    for (const end of ['\n', '\r\n', '\r']) {
      expect(readPositional(`p1${end}p2${end}`, places)).toBeInstanceOf(Failure);
      expect(readForm(`id=p1&x=1${end}id=p2&x=1${end}`)).toBeInstanceOf(Failure);
    }
    expect(readPositional('p1\r\n', places)).toMatchObject({ id: 'p1' });
    expect(readForm('id=p1&x=1%0A2\r\n')).toMatchObject({ id: 'p1', x: '1\n2' });
  });

  it('count positions in characters', () => {
    const record = readPositional('😀b  cd\r\n', { a: { from: 1, length: 2 }, b: { from: 5, length: 2 } });
    expect(record).toMatchObject({ a: '😀b', b: 'cd' });
    expect(readPositional('abc', { a: { from: 3, length: 2 } })).toBeInstanceOf(Failure);
  });
});

/** What JSON.parse makes of it with the text of every number, as `NumberToken` writes itself, where that differs. */
function asTexts(record: string): unknown {
  const value: unknown = JSON.parse(record);
  const result: unknown = readJson(record);
  return sameShape(value, JSON.parse(JSON.stringify(result)));
}

/** The value with each number that came as text replaced by that text, if both are the same number. */
function sameShape(value: unknown, read: unknown): unknown {
  if (typeof value === 'number' && typeof read === 'string') return Number(read) === value ? read : value;
  if (Array.isArray(value) && Array.isArray(read))
    return value.map((each, index) => sameShape(each, read[index]));
  if (typeof value !== 'object' || value === null || typeof read !== 'object' || read === null) return value;
  const entries = Object.entries(value).map(([name, each]) => [
    name,
    sameShape(each, (read as Record<string, unknown>)[name]),
  ]);
  return Object.fromEntries(entries);
}
