import {
  absent,
  accepted,
  type Case,
  LONG,
  long,
  NEVER_A_VALUE,
  REFUSED,
  refused,
} from './contract-cases.ts';

const TEXT_MAX = 4096;
const IDENTIFIER_MAX = 255;

export function text(fallback: string): Case[] {
  return [
    ...absent(fallback),
    ...accepted(['"a"', 'a'], ['"0"', '0'], ['"007"', '007'], ['" a "', ' a '], ['"\u{1F600}"', '\u{1F600}']),
    ...accepted(
      ['"\\ud83d\\ude00"', '\u{1F600}'],
      ['"a\\"b\\\\c"', 'a"b\\c'],
      ['"1.50"', '1.50'],
      ['"null"', 'null'],
    ),
    ...accepted(
      ['1', '1'],
      ['0', '0'],
      ['-0', '0'],
      ['-5', '-5'],
      ['1.0', '1'],
      ['1e3', '1000'],
      ['1.5e1', '15'],
    ),
    ...accepted(['12345678901234567890', '12345678901234567890'], ['4412345678901', '4412345678901']),
    ...accepted(['9007199254740993', '9007199254740993'], ['1e25', '10000000000000000000000000']),
    ...accepted(['"a\\u0000b"', 'a\uFFFDb'], ['"\\u001f\\u007f\\u0080\\u009f"', '\uFFFD'.repeat(4)]),
    ...accepted(
      ['"\\n\\t"', '\uFFFD\uFFFD'],
      ['"\\ud800"', '\uFFFD'],
      ['"a\\udc00b"', 'a\uFFFDb'],
      ['"\\u00a0"', '\u00a0'],
    ),
    ...refused('1.5', '-0.5', '9007199254740993.5', '1.00000000000000000000001', ...NEVER_A_VALUE),
    long('x'.repeat(TEXT_MAX), '4096 letters', 'x'.repeat(TEXT_MAX)),
    long('x'.repeat(LONG), '5000 letters', 'x'.repeat(TEXT_MAX)),
    long('\u{1F600}'.repeat(TEXT_MAX), '4096 emoji', '\u{1F600}'.repeat(TEXT_MAX)),
    long('\u{1F600}'.repeat(LONG), '5000 emoji', '\u{1F600}'.repeat(TEXT_MAX)),
    long('\0'.repeat(LONG), '5000 NUL', '\uFFFD'.repeat(TEXT_MAX)),
  ];
}

export function identifier(): Case[] {
  return [
    ...absent(undefined),
    ...accepted(['"a"', 'a'], ['"1234567890.123456"', '1234567890.123456'], ['"\u{1F600}"', '\u{1F600}']),
    ...accepted(
      ['1', '1'],
      ['1.0', '1'],
      ['-0', '0'],
      ['1e3', '1000'],
      ['12345678901234567890', '12345678901234567890'],
    ),
    ...refused('1.5', '1e400', '1e255', '1234567890.123456', ...NEVER_A_VALUE),
    ...refused('"\\u0000"', '"a\\u0000"', '"a\\n"', '"\\u001f"', '"\\u007f"', '"\\u0080"', '"\\u009f"'),
    ...refused('"\\ud800"', '"a\\udc00"', '"\\ude00\\ud83d"'),
    long('x'.repeat(IDENTIFIER_MAX), '255 letters', 'x'.repeat(IDENTIFIER_MAX)),
    long('x'.repeat(IDENTIFIER_MAX + 1), '256 letters', REFUSED),
    long('\u{1F600}'.repeat(IDENTIFIER_MAX), '255 emoji', '\u{1F600}'.repeat(IDENTIFIER_MAX)),
    long('\u{1F600}'.repeat(IDENTIFIER_MAX + 1), '256 emoji', REFUSED),
    long('x'.repeat(LONG), '5000 letters', REFUSED),
  ];
}

/** Compared with a hash and never stored, so nothing in it is replaced or cut. */
export function credential(): Case[] {
  return [
    ...absent(undefined),
    ...accepted(
      ['"a"', 'a'],
      ['" "', ' '],
      ['"\\u0000"', '\0'],
      ['"\\ud800"', '\ud800'],
      ['"\u{1F600}"', '\u{1F600}'],
    ),
    ...accepted(['1', '1'], ['1.0', '1'], ['12345678901234567890', '12345678901234567890'], ['"007"', '007']),
    ...refused('1.5', ...NEVER_A_VALUE),
    long('x'.repeat(LONG), '5000 letters', 'x'.repeat(LONG)),
  ];
}

export function word(words: string[], fallback: string): Case[] {
  return [
    ...absent(fallback),
    ...words.flatMap((each) => accepted([`"${each}"`, each])),
    ...words.flatMap((each) => refused(`"${each.toUpperCase()}"`, `" ${each}"`, `"${each}\\u0000"`)),
    ...refused('"other"', '" "', '1', '0', '"\\u0000"', '"\\ud800"', '"\u{1F600}"', ...NEVER_A_VALUE),
    long('x'.repeat(LONG), '5000 letters', REFUSED),
  ];
}

export function taxes(): Case[] {
  return [
    ...absent(''),
    ...accepted(
      ['"1"', '1'],
      ['"0"', '0'],
      ['"2147483647"', '2147483647'],
      ['1', '1'],
      ['1.0', '1'],
      ['1e0', '1'],
      ['-0', '0'],
    ),
    ...accepted(
      ['"vat"', 'vat'],
      ['"1,vat"', '1,vat'],
      ['" 1 ,\\tvat "', '1,vat'],
      ['"vat,1"', 'vat,1'],
      ['"a b"', 'a b'],
    ),
    ...accepted(
      ['"-1"', '-1'],
      ['"1.5"', '1.5'],
      ['"\u{1F600}"', '\u{1F600}'],
      ['"a\\u0000"', 'a\uFFFD'],
      ['"\\ud800"', '\uFFFD'],
    ),
    ...refused(
      '","',
      '"1,"',
      '",1"',
      '"1,,2"',
      '"1, ,2"',
      '" "',
      '"1,1"',
      '"vat,vat"',
      '"1, 1"',
      '"a\\u0000,a\\u0001"',
    ),
    ...refused(
      '"01"',
      '"00"',
      '"2147483648"',
      '"12345678901234567890"',
      '2147483648',
      '-1',
      '1.5',
      '12345678901234567890',
    ),
    ...refused(...NEVER_A_VALUE),
    long('x'.repeat(LONG), 'a name of 5000 letters', REFUSED),
    long('\u{1F600}'.repeat(TEXT_MAX), 'a name of 4096 emoji', '\u{1F600}'.repeat(TEXT_MAX)),
  ];
}
