import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { PAGE, SCHEMA_FILE, schemaText, withKeyTables } from '../../dev/sources-doc.ts';
import { Failure } from '../../src/sources/failure.ts';
import { type Mapped, mapRecord } from '../../src/sources/map.ts';
import { fieldReader } from '../../src/sources/native.ts';
import { feedIn, PRESETS, preset } from './feeds.ts';

const page = readFileSync(PAGE, 'utf8');

/** Rows of three cells below a heading of tables of this kind, without the blanks and the marks of code. */
function examples(head: string): [string, string, string][] {
  const tables = page
    .split(/\n(?=\| )/)
    .join('\n')
    .split(/\n\n+/)
    .filter((text) => text.startsWith(head));
  return tables.flatMap((table) =>
    table
      .split('\n')
      .slice(2)
      .filter((line) => line.startsWith('|'))
      .map((line) => {
        const [, first = '', second = '', third = ''] = /^\| (.*?) \| (.*?) \| (.*) \|$/.exec(line) ?? [];
        return [code(first), code(second), third] as [string, string, string];
      }),
  );
}

function code(cell: string): string {
  return cell.replace(/^`(.*)`$/, '$1');
}

const NEEDED: Readonly<Record<string, string>> = {
  uniqueid: 'id',
  machine: '{ constant: m }',
  start: '{ from: t, time: s }',
  scustomer: 'c',
};

/** A feed with one value as the example has it, and what the contract requires. */
function feedWith(value: string) {
  const [parameter = ''] = value.split(':');
  const call = Object.entries(NEEDED)
    .filter(([name]) => name !== parameter)
    .map(([name, from]) => `    ${name}: ${from}`);
  return feedIn(
    `x:\n  exchange: x\n  as: x\n  machines: [m]\n  format: json\n  call:\n    ${value}\n${call.join('\n')}\n`,
  );
}

/** What a record became, as the page says it. */
function became(parameter: string, mapped: Mapped): string {
  if (mapped.kind === 'skip') return 'skip';
  if (mapped.kind === 'unmapped') return `*${mapped.errors.map(({ message }) => message).join(' ')}*`;
  const lookup = mapped.lookups.find((each) => each.parameter === parameter);
  if (lookup?.parameter === 'peer') return `lookup \`peers\` \`${lookup.name}\``;
  if (lookup !== undefined) return `lookup \`${lookup.kind}\` \`${lookup.key}\` at \`${lookup.at}\``;
  const value = mapped.fields[parameter];
  return value === undefined ? 'left out' : `\`${value}\`${mapped.isTimeGuessed ? ' (guessed)' : ''}`;
}

describe('docs/sources.md', () => {
  it('has the tables of keys and the JSON Schema that `npx tsx dev/sources-doc.ts` writes', () => {
    expect(withKeyTables(page)).toBe(page);
    expect(readFileSync(SCHEMA_FILE, 'utf8')).toBe(schemaText());
  });

  it('names every preset', () => {
    for (const name of PRESETS) expect(page).toContain(`| \`${name}\` |`);
  });

  const operators = examples('| in the file |');
  it('has a table of examples for every operator', () => {
    expect(operators.length).toBeGreaterThan(70);
  });

  it.each(operators)('%s of %s becomes %s', (value, record, expected) => {
    const base = '"id": "1", "t": "1790000000", "c": "101"';
    const text = record === '{}' ? `{${base}}` : record.replace('{', `{${base}, `);
    const [parameter = ''] = value.split(':');
    expect(became(parameter, mapRecord(feedWith(value), text))).toBe(expected);
  });

  it.each(examples('| `format` |'))('%s of %s gives %s', (format, text, expected) => {
    const needed = Object.keys(NEEDED).map(
      (name) => `${name}: ${name === 'start' ? '{ constant: x, time: s }' : '{ constant: "1" }'}`,
    );
    const feed = feedIn(
      `{ x: { exchange: x, as: x, machines: ["1"], format: ${format}, call: { ${needed.join(', ')} } } }`,
    );
    const record = feed.read(text);
    const given = [...expected.matchAll(/`([^`]*)`(?: = `([^`]*)`| (missing))/g)].map(
      ([, path = '', value, missing]) => {
        const found = fieldReader(path.split('.'), false)(record);
        return [path, found instanceof Failure ? missing : found, value ?? missing];
      },
    );
    expect(given.length).toBeGreaterThan(0);
    for (const [path, found, wanted] of given) expect(`${path} ${found}`).toBe(`${path} ${wanted}`);
  });
});

describe('sources/sources.schema.json', () => {
  const validate = new Ajv2020({ strict: false }).compile(JSON.parse(schemaText()));

  it.each(PRESETS)('takes %s as editors read it, numbers and booleans included', (name) => {
    validate(parse(preset(name)));
    expect(validate.errors ?? []).toEqual([]);
  });

  it('refuses a key that does not exist', () => {
    const file = parse(preset('yeti.yaml'));
    expect(validate({ yeti: { ...file.yeti, colour: 'red' } })).toBe(false);
  });
});
