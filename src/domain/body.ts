import { parse as parseLossless } from 'lossless-json';
import { NumberToken } from './json-number.ts';
import {
  countNames,
  hasMoreThan,
  hasMoreValuesThan,
  isNestedDeeperThan,
  repeatedNames,
} from './json-text.ts';
import { shownName } from './masking.ts';
import { type Amount, amount, plain } from './money.ts';

/** The parameters of a message by name, as received: text, numbers, or values that the contract never accepts. */
export type Fields = Readonly<Record<string, unknown>>;

/** A parsed body, or why it could not be parsed. `key` names the parameter at fault; '' is the body itself. */
export type Body =
  | { kind: 'fields'; fields: Fields }
  /** `fields` has what could be read all the same: every parameter but the ones at fault, or nothing. */
  | { kind: 'unreadable'; fields: Fields; key: string; message: string };

export type BodyFormat = 'json' | 'form';

/** Levels of nesting. The contract is flat; a few more levels give a better message than this limit does. */
const DEPTH_MAX = 16;
/** A number with an exponent beyond this fits no parameter, and writing it out would take memory. */
const EXPONENT_MAX = 300;
/** Names, and items of lists. The contract has some 30 names, and each one takes time. */
const VALUES_MAX = 200;
/** Shorter texts cannot have too many values to matter. Calls of switches are shorter and so are not counted. */
const COUNTED_FROM = 2000;
/** Characters of a number: no parameter takes a longer one. */
const NUMBER_MAX = 1000;
/** Digits that the exponents of one body may stand for in total, since all of them are written out. */
const WRITTEN_MAX = 4000;

/** Parameters that identify a call: two different values must not become the same one. */
const IDENTIFIERS: ReadonlySet<string> = new Set(['uniqueid', 'machine']);
const REPLACEMENT = '\uFFFD';
/** A percent sign that starts no escape stands for itself. */
const BARE_PERCENT = /%(?![\da-f]{2})/gi;

/**
 * A number that a double may not hold exactly: 16 digits or more, or an exponent. Up to 15 significant digits survive
 * text → double → text unchanged (IEEE 754).
 */
const RISKY_NUMBER = /:\s*-?(?:[\d.]{16}|[\d.]+[eE])/;
/** At the end of V8's message; the part before it may quote the text. */
const POSITION = /in JSON at position (\d+)(?: \(line \d+ column \d+\))?$/;

const TOO_MANY = `body has more than ${VALUES_MAX} parameters`;
const GIVEN_TWICE = 'parameter given more than once';

/**
 * Parses a request body into its parameters. Never throws: every text gives a `Body`.
 *
 * @param text the decoded body; the caller limits its size
 * @param isDecimal tells the parameters whose numbers must keep every digit
 */
export function readBody(text: string, format: BodyFormat, isDecimal: (name: string) => boolean): Body {
  return format === 'form' ? readForm(text) : readJson(text, isDecimal);
}

/** The query string of the HTTP API: WHATWG rules, but pairs may also be split by `;` and no name may be repeated. */
function readForm(text: string): Body {
  if (/^\s*[[{]/.test(text)) return unreadable('content_type is form-encoded but the body is JSON');
  const pairs = text.trim().replaceAll(';', '&');
  if (hasMoreThan(VALUES_MAX - 1, '&', pairs)) return unreadable(TOO_MANY);
  const fields: Record<string, unknown> = Object.create(null);
  const repeated = new Set<string>();
  let isSuspect = false;
  for (const [name, value] of new URLSearchParams(pairs)) {
    if (name in fields) repeated.add(name);
    fields[name] = value;
    isSuspect ||= IDENTIFIERS.has(name) && value.includes(REPLACEMENT);
  }
  const damaged = isSuspect && repeated.size === 0 ? damagedName(pairs) : undefined;
  return damaged === undefined
    ? without(fields, repeated, GIVEN_TWICE)
    : without(fields, new Set([damaged]), 'percent-encoding is not valid UTF-8');
}

/** The identifier whose escapes are not valid UTF-8. WHATWG rules decode any such bytes as U+FFFD. */
function damagedName(pairs: string): string | undefined {
  for (const pair of pairs.split('&')) {
    const [name] = [...new URLSearchParams(pair).keys()];
    if (name === undefined || !IDENTIFIERS.has(name)) continue;
    try {
      decodeURIComponent(pair.replace(BARE_PERCENT, '%25'));
    } catch {
      return name;
    }
  }
  return undefined;
}

function readJson(text: string, isDecimal: (name: string) => boolean): Body {
  if (isNestedDeeperThan(DEPTH_MAX, text))
    return unreadable(`expected a flat JSON object, got one nested more than ${DEPTH_MAX} levels deep`);
  if (text.length >= COUNTED_FROM && hasMoreValuesThan(VALUES_MAX, text)) return unreadable(TOO_MANY);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return unreadable(`expected a JSON object, got ${syntaxProblem(error, text)}`);
  }
  if (!isObject(value)) return unreadable(`expected a JSON object, got ${nameOfJson(value)}`);
  // The counts differ if a name is repeated, an object is nested or a text contains `":`: then parse with care.
  const isPlain = countNames(text) === countFields(value);
  if (isPlain && !RISKY_NUMBER.test(text)) return { kind: 'fields', fields: value };
  return without(withExactNumbers(text, isDecimal), repeatedNames(text), GIVEN_TWICE);
}

/** The parameters; if some are `wrong`, a refusal of the first of them with all others. */
function without(fields: Fields, wrong: ReadonlySet<string>, message: string): Body {
  const [first] = wrong;
  if (first === undefined) return { kind: 'fields', fields };
  const right = Object.entries(fields).filter(([name]) => !wrong.has(name));
  return { kind: 'unreadable', fields: Object.fromEntries(right), key: shownName(first), message };
}

/** Parses with every number kept as its text, so that no digit passes through a double. */
function withExactNumbers(text: string, isDecimal: (name: string) => boolean): Fields {
  const parsed = parseLossless(text, undefined, {
    parseNumber: (token) => new NumberToken(token),
    // The last one counts, as in JSON.parse.
    onDuplicateKey: ({ newValue }) => newValue,
  });
  if (!isObject(parsed)) return {};
  const fields: Record<string, unknown> = Object.create(null);
  let written = 0;
  for (const [name, value] of Object.entries(parsed)) {
    fields[name] = value;
    if (!(value instanceof NumberToken) || value.text.length > NUMBER_MAX) continue;
    const number = amount(value.text);
    // What is too large to write out stays a token, NaN and infinity included.
    if (!(Math.abs(number.e) <= EXPONENT_MAX)) continue;
    written += Math.abs(number.e);
    if (written <= WRITTEN_MAX) fields[name] = exactNumber(value, number, isDecimal(name));
  }
  return fields;
}

/**
 * Decimals become plain text. Other numbers become a number where that is exact, and whole ones otherwise their digits.
 * What would not be the same number then stays a token.
 */
function exactNumber(token: NumberToken, value: Amount, isDecimal: boolean): string | number | NumberToken {
  const vanished = value.isZero() && /^[-0.]*[1-9]/.test(token.text);
  if (vanished) return token;
  if (isDecimal) return plain(value);
  const asNumber = value.toNumber();
  if (value.isInteger() !== Number.isInteger(asNumber)) return token;
  return value.isInteger() && !Number.isSafeInteger(asNumber) ? plain(value) : asNumber;
}

/** Without a list of them, which each message would leave behind. */
function countFields(fields: Fields): number {
  let count = 0;
  for (const _ in fields) count += 1;
  return count;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function nameOfJson(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

/** Where the syntax breaks. V8's own message quotes the text, which may be a password. */
function syntaxProblem(error: unknown, text: string): string {
  if (text.trim() === '') return 'an empty body';
  const position = error instanceof Error ? POSITION.exec(error.message)?.[1] : undefined;
  return position === undefined
    ? 'invalid JSON: unexpected end of input or invalid character'
    : `invalid JSON: unexpected character at position ${position}`;
}

function unreadable(message: string): Body {
  return { kind: 'unreadable', fields: {}, key: '', message };
}
