import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import { csvRow, harmlessCell, spreadsheetCell } from '../src/csv.ts';

describe('a cell of text', () => {
  it.each([
    '0049301234',
    '007',
    '+49301234',
    '1700000000.10',
    '1700000000.000000',
    '12.5',
    '1.700',
    '12345678901234567',
    '1e5',
    '12E3',
    '3-4',
    '2026-11-28',
    '28.11.2026',
    '1/2',
    '8:30',
    '10:00:00',
    'MARCH1',
    'sept2',
    '5 Mai',
    '12%',
    '€5',
    'true',
    'FALSCH',
    '=1+1',
    '@SUM(A1)',
    '-1+1',
    '-x',
  ])('that a spreadsheet would change, or run, begins with an apostrophe: %s', (text) => {
    expect(spreadsheetCell(text, 'text')).toBe(`'${text}`);
  });

  it.each([
    '',
    '0',
    '123',
    '49301234567',
    '1700000000.12',
    'a-1',
    'm-1',
    'pbx.example.com',
    '192.168.1.20',
    'VAT',
    'marvellous',
    '550e8400-e29b-41d4-a716-446655440000',
  ])('that stays what it is has none: %j', (text) => {
    expect(spreadsheetCell(text, 'text')).toBe(text);
  });

  it('cannot begin a formula where cells are separated by semicolons', () => {
    expect(spreadsheetCell('x;=cmd|A0', 'text')).toBe(`x;'=cmd|A0`);
    expect(spreadsheetCell('x; "@SUM(1)', 'text')).toBe(`x; "'@SUM(1)`);
  });

  it('stays on one line, so that no line begins with what a caller chose', () => {
    expect(spreadsheetCell('two\n=1+1', 'text')).toBe('two\\n=1+1');
  });

  it('for programs has an apostrophe only where a formula would begin', () => {
    expect(['0049', '1700000000.10', '=1'].map(harmlessCell)).toEqual(['0049', '1700000000.10', `'=1`]);
  });
});

it('an amount stays a number, whatever its digits', () => {
  expect(['0.50', '-1.5', '12345678901234.567891'].map((text) => spreadsheetCell(text, 'value'))).toEqual([
    '0.50',
    '-1.5',
    '12345678901234.567891',
  ]);
});

it('a row is read back cell by cell, whatever its texts hold', () => {
  const cells = ['a,b', 'a;b', 'say "x"', 'two\nlines', ' blanks ', '', 'ü'];
  expect(parse(csvRow(cells))).toEqual([cells]);
  expect(csvRow(['a;b', 'c'])).toBe('"a;b",c\r\n');
});
