import { parse as parseLossless } from 'lossless-json';
import { NumberToken } from '../domain/json-number.ts';
import { Failure } from './failure.ts';
import { Ambiguous, type NativeRecord } from './native.ts';

/** Levels of nesting that a record may have; what switches send has some ten. */
const DEPTH_LIMIT = 64;
/**
 * A number whose text would change on its way through binary floating point: with a fraction, an exponent, a minus
 * before a zero, or 16 digits and more. In a text it only costs the slower way.
 */
const INEXACT_NUMBER = /[:[,]\s*(?:-0|-?\d{1,15}[.eE]|-?\d{16})/;
const QUOTE = 0x22;
const NOT_JSON = 'the record is not JSON';

/**
 * One JSON object. Total: any text gives a record or a failure. Every number keeps its digits, and a name that stands
 * twice with different values is kept as such: FreeSWITCH writes some headers twice, and only those that the map
 * reads matter.
 */
export function readJson(text: string): NativeRecord | Failure {
  const depth = depthOf(text);
  if (depth > DEPTH_LIMIT) return new Failure('wrong', `the record is nested over ${DEPTH_LIMIT} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return new Failure('wrong', text.trim() === '' ? 'the record is empty' : NOT_JSON);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return new Failure('wrong', 'the record is no JSON object');
  const isExact = !INEXACT_NUMBER.test(text) && namesWritten(text) === namesIn(value);
  return isExact ? value : exactly(text);
}

function exactly(text: string): NativeRecord | Failure {
  try {
    return parseLossless(text, undefined, {
      parseNumber: (number) => new NumberToken(number),
      onDuplicateKey: () => new Ambiguous(),
    });
  } catch {
    // It takes a little less than JSON.parse: no lone surrogates written as themselves.
    return new Failure('wrong', NOT_JSON);
  }
}

/** How deep brackets are nested; the text need not be JSON. Few records are nested at all, and only those are walked. */
function depthOf(text: string): number {
  if (text.indexOf('[') < 0 && text.indexOf('{', text.indexOf('{') + 1) < 0) return 1;
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) at = endOfString(text, at);
    // { and [, then } and ]
    else if (char === 0x7b || char === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (char === 0x7d || char === 0x5d) depth -= 1;
  }
  return deepest;
}

/** Where a string that begins at `start` ends: the index of its closing quote, or the end of the text. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === '\\') backslashes += 1;
  return backslashes % 2 === 1;
}

/** Names that stand in the text, if every `"` before a colon ends one; NaN where a blank stands before a colon. */
function namesWritten(text: string): number {
  let count = 0;
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) {
    const before = text.charCodeAt(at - 1);
    if (before === QUOTE) count += 1;
    else if (before <= 0x20) return Number.NaN;
  }
  return count;
}

function namesIn(value: object): number {
  const isList = Array.isArray(value);
  const inside: unknown[] = isList ? value : Object.values(value);
  let count = isList ? 0 : inside.length;
  for (const each of inside) if (typeof each === 'object' && each !== null) count += namesIn(each);
  return count;
}
