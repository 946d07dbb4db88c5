import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { withContractTable } from '../../dev/contract-table.ts';
import { type BodyFormat, readBody } from '../../src/domain/body.ts';
import { toCdr } from '../../src/domain/cdr.ts';
import { isDecimal, parameterNames, parameterRow, parameters } from '../../src/domain/contract.ts';
import { validate } from '../../src/domain/validate.ts';
import { type Case, REFUSED } from './contract-cases.ts';
import { BASE, type Row, SYSTEM_CURRENCY, TABLE } from './contract-table.ts';

const NOTHING_IGNORED: ReadonlySet<string> = new Set();

/** What a body says, or the keys of what is wrong with it. */
function read(text: string, format: BodyFormat): Record<string, unknown> | { refused: string[] } {
  const body = readBody(text, format, isDecimal);
  if (body.kind === 'unreadable') throw new Error(`unreadable: ${body.message}`);
  const validation = validate(body.fields, NOTHING_IGNORED);
  if (validation.kind === 'invalid') return { refused: validation.errors.map(({ key }) => key) };
  const { auth_username, auth_password } = parameters.parse(body.fields);
  const { call, validationOnly } = validation;
  const others = { auth_username, auth_password, validation: validationOnly ? 1 : 0 };
  return { ...toCdr(call, SYSTEM_CURRENCY), ...others };
}

function refusedKeys(text: string): unknown {
  return read(text, 'json').refused;
}

function jsonOf({ name, beside }: Row, { json }: Case): string {
  const others = Object.entries({ ...BASE, ...beside }).filter(([other]) => other !== name);
  const members = others.map(([other, value]) => `"${other}":${JSON.stringify(value)}`);
  return `{${[...members, ...(json === undefined ? [] : [`"${name}":${json}`])].join(',')}}`;
}

/** A form body says the same where the value is text that UTF-8 can carry. */
function formOf({ name, beside }: Row, { json }: Case): string | undefined {
  const value: unknown = json === undefined ? undefined : JSON.parse(json);
  if (value !== undefined && (typeof value !== 'string' || /\p{Cs}/u.test(value))) return undefined;
  const pairs = Object.entries({ ...BASE, ...beside, [name]: value }).filter(
    ([, each]) => each !== undefined,
  );
  return pairs.map(([other, each]) => `${other}=${encodeURIComponent(String(each))}`).join(';');
}

describe.each(TABLE)('the parameter $name', (row) => {
  it.each(row.cases)('is read as the interface says where it is $label', (oneCase) => {
    const expected =
      oneCase.expected === REFUSED ? { refused: [row.name] } : { [row.name]: oneCase.expected };
    expect(read(jsonOf(row, oneCase), 'json')).toMatchObject(expected);
    const form = formOf(row, oneCase);
    if (form !== undefined) expect(read(form, 'form')).toMatchObject(expected);
  });
});

describe('the table of parameters', () => {
  const published = TABLE.map(({ published: [name, type, description, required, defaultText] }) => ({
    name,
    type,
    description,
    required: required === 'Yes',
    defaultText,
  }));

  it('has the names, types, meanings, requirements and defaults of the published contract, in its order', () => {
    const ours = parameterNames.map((name) => {
      const row = parameterRow(name);
      return {
        name,
        type: row?.type,
        description: row?.description,
        required: row?.required,
        defaultText: row?.defaultText,
      };
    });
    expect(ours).toEqual(published);
  });

  it('is in docs/contract.md; npx tsx dev/contract-table.ts writes it there', () => {
    const document = readFileSync(new URL('../../docs/contract.md', import.meta.url), 'utf8');
    expect(document).toBe(withContractTable(document));
  });

  it('is covered case by case, every parameter', () => {
    for (const { name, cases } of TABLE) expect([name, cases.length > 10]).toEqual([name, true]);
  });
});

describe('a call as a whole', () => {
  const whole = (more: Record<string, unknown>) => JSON.stringify({ ...BASE, ...more });

  it('may end when it starts and not before', () => {
    expect(read(whole({ start: 10, end: 10 }), 'json')).toMatchObject({ end: 10, talktime: 0, totaltime: 0 });
    expect(refusedKeys(whole({ start: 10, end: 9 }))).toEqual(['end']);
  });

  it('takes its durations from its times where it does not give them', () => {
    expect(read(whole({ start: 10, end: 70 }), 'json')).toMatchObject({ talktime: 60, totaltime: 60 });
    expect(read(whole({ start: 10, end: 70, talktime: 50 }), 'json')).toMatchObject({
      talktime: 50,
      totaltime: 60,
    });
    expect(read(whole({ start: 10, end: 70, totaltime: 80 }), 'json')).toMatchObject({
      talktime: 60,
      totaltime: 80,
    });
  });

  it('is refused on end where a duration that follows from it would not fit its column', () => {
    expect(read(whole({ end: 2147483647 }), 'json')).toMatchObject({ talktime: 2147483647 });
    expect(refusedKeys(whole({ end: 2147483648 }))).toEqual(['end']);
    expect(refusedKeys(whole({ end: 2147483648, talktime: 1 }))).toEqual(['end']);
    expect(read(whole({ end: 2147483648, talktime: 1, totaltime: 1 }), 'json')).toMatchObject({
      end: 2147483648,
    });
  });

  it('is told everything that is wrong with it at once, in the order of the contract', () => {
    const text = whole({ zebra: 1, media: 'telepathy', machine: null, start: 10, end: 9 });
    expect(refusedKeys(text)).toEqual(['machine', 'media', 'end', 'zebra']);
  });

  it('may not have a parameter beyond the contract, whatever its name', () => {
    for (const name of [
      'zebra',
      '',
      'Cost',
      ' cost',
      'constructor',
      'toString',
      '__proto__',
      'hasOwnProperty',
    ]) {
      const text = `{${whole({}).slice(1, -1)},${JSON.stringify(name)}:"1"}`;
      expect(refusedKeys(text)).toEqual([name]);
      expect(refusedKeys(text.replace('"start":0', '"start":0e0'))).toEqual([name]);
    }
  });

  it('may have parameters that the operator said to ignore, whatever they hold', () => {
    const extra = [
      '1',
      '1e400',
      '"text"',
      'null',
      '{"uniqueid":1,"a":{"a":1}}',
      '[{"a":1},{"a":2}]',
      '{"a":1,"a":2}',
    ];
    for (const value of extra) {
      const body = readBody(`{${whole({}).slice(1, -1)},"extra":${value}}`, 'json', isDecimal);
      const fields = body.kind === 'fields' ? body.fields : {};
      expect(validate(fields, new Set(['extra']))).toMatchObject({ kind: 'valid' });
    }
  });

  it('counts the texts in which something was replaced or cut', () => {
    const fields = { ...BASE, sname: 'a\0', note: 'x'.repeat(5000), dnumber: 'clean', cnumber: 7 };
    expect(validate(fields, NOTHING_IGNORED)).toMatchObject({ kind: 'valid', cleaned: 2 });
  });

  it('that is garbage is not answered with more than it sent', () => {
    const fields = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`${'x'.repeat(300)}${i}`, 1]));
    const validation = validate(fields, NOTHING_IGNORED);
    const errors = validation.kind === 'invalid' ? validation.errors : [];
    expect(errors).toHaveLength(50);
    expect(Math.max(...errors.map(({ key }) => key.length))).toBe(100);
  });
});
