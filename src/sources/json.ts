import { parse as parseLossless } from 'lossless-json';
import { NumberToken } from '../domain/json-number.ts';
import { countNames, endOfString, hasMoreThan, isNestedDeeperThan } from '../domain/json-text.ts';
import { Failure } from './failure.ts';
import { Ambiguous, type NativeRecord } from './native.ts';

/** Levels of nesting that a record may have; what switches send has some ten. */
const DEPTH_LIMIT = 64;
/**
 * A number whose text would change on its way through binary floating point: with a fraction, an exponent, a minus
 * before a zero, or 16 digits and more. In a text it only costs the slower way.
 */
const INEXACT_NUMBER = /[:[,]\s*(?:-0|-?\d{1,15}[.eE]|-?\d{16})/;
const NOT_JSON = 'the record is not JSON';

/**
 * One JSON object. Never throws: every text gives a record or a failure. Every number keeps its digits, and a name that stands
 * twice with different values is kept as such: FreeSWITCH writes some headers twice, and only those that the map
 * reads matter.
 */
export function readJson(text: string): NativeRecord | Failure {
  if (isTooDeep(text)) return new Failure('wrong', `the record is nested over ${DEPTH_LIMIT} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return new Failure('wrong', text.trim() === '' ? 'the record is empty' : NOT_JSON);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return new Failure('wrong', 'the record is no JSON object');
  const { names, isFlat, hasNumbers } = survey(value);
  if (hasNumbers && INEXACT_NUMBER.test(text)) return exactly(text);
  const written = countNames(text);
  const isAsWritten = written === names || (isFlat && written - names === repeatsAlike(text));
  return isAsWritten ? value : exactly(text);
}

function exactly(text: string): NativeRecord | Failure {
  try {
    return parseLossless(text, undefined, {
      parseNumber: (number) => new NumberToken(number),
      onDuplicateKey: () => new Ambiguous(),
    });
  } catch {
    // JSON.parse has taken it, so this is not expected; a record must still never throw.
    return new Failure('wrong', NOT_JSON);
  }
}

/** Whether brackets are nested too deep. Few records have so many that they must be walked through. */
function isTooDeep(text: string): boolean {
  const half = DEPTH_LIMIT / 2;
  return (
    (hasMoreThan(half, '{', text) || hasMoreThan(half, '[', text)) && isNestedDeeperThan(DEPTH_LIMIT, text)
  );
}

interface Survey {
  names: number;
  /** No object stands in it. */
  isFlat: boolean;
  hasNumbers: boolean;
}

function survey(value: object): Survey {
  const found: Survey = { names: 0, isFlat: true, hasNumbers: false };
  count(value, found);
  return found;
}

function count(value: object, found: Survey): void {
  const isList = Array.isArray(value);
  for (const name in value) {
    if (!isList) found.names += 1;
    const each: unknown = (value as Record<string, unknown>)[name];
    if (typeof each === 'number') found.hasNumbers = true;
    else if (typeof each === 'object' && each !== null) {
      if (!Array.isArray(each)) found.isFlat = false;
      count(each, found);
    }
  }
}

/**
 * How many names of a flat object stand there again with the same value, as FreeSWITCH writes some headers; NaN where
 * that is not plain to see. The exact way takes three times as long.
 */
function repeatsAlike(text: string): number {
  const places = new Map<string, number>();
  let alike = 0;
  for (let at = text.indexOf('":'); at >= 0; at = text.indexOf('":', at + 2)) {
    const start = text.lastIndexOf('"', at - 1);
    // A quote that may be escaped: a name that has one in it, or the end of no name.
    if (text[at - 1] === '\\' || text[start - 1] === '\\') return Number.NaN;
    const name = text.slice(start, at);
    const before = places.get(name);
    places.set(name, at);
    if (before === undefined) continue;
    const value = valueText(text, at + 2);
    if (value === '' || value !== valueText(text, before + 2)) return Number.NaN;
    alike += 1;
  }
  return alike;
}

/** The text of a string that begins here; '' for any other value. */
function valueText(text: string, start: number): string {
  return text[start] === '"' ? text.slice(start, endOfString(text, start) + 1) : '';
}
