import { parse as parseLossless } from 'lossless-json';
import { NumberToken } from '../domain/json-number.ts';
import { countNames, hasMoreThan, isNestedDeeperThan } from '../domain/json-text.ts';
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
 * One JSON object. Total: any text gives a record or a failure. Every number keeps its digits, and a name that stands
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
  const isExact = !INEXACT_NUMBER.test(text) && countNames(text) === namesIn(value);
  return isExact ? value : exactly(text);
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

function namesIn(value: object): number {
  const isList = Array.isArray(value);
  const inside: unknown[] = isList ? value : Object.values(value);
  let count = isList ? 0 : inside.length;
  for (const each of inside) if (typeof each === 'object' && each !== null) count += namesIn(each);
  return count;
}
