import { parse as parseLossless } from 'lossless-json';
import { NumberToken } from './json-number.ts';
import { type Amount, amount, plain } from './money.ts';
import { shownName } from './secrets.ts';

/** The parameters of a message by name, as they came: text, numbers, or what the contract never takes. */
export type Fields = Readonly<Record<string, unknown>>;

/** A body that could be read, or why not; `key` names the parameter at fault, '' is the body itself. */
export type Body =
  | { kind: 'fields'; fields: Fields }
  /** `fields` is what can be read all the same: nothing, or all parameters but those that stand twice. */
  | { kind: 'unreadable'; fields: Fields; key: string; message: string };

export type BodyFormat = 'json' | 'form';

/** Nesting that a body may have. The contract is flat; a few levels more give a better message than "too deep". */
const DEPTH_LIMIT = 16;

/** Beyond this power of ten a number fits no parameter, and writing it out would only cost memory. */
const EXPONENT_LIMIT = 300;

/** Names, and items of lists, that a body may have. The contract has some 30 names, and reading costs by the name. */
const VALUES_MAX = 200;
/** Shorter text has too few values to matter; the calls of switches are, and are not counted through. */
const COUNTED_FROM = 2000;
/** Characters of a number: no parameter takes a longer one. */
const NUMBER_MAX = 1000;
/** Digits that the exponents of one body may stand for in all: each must be written out. */
const WRITTEN_MAX = 4000;

/** Parameters that tell calls apart: two values must not become the same one in reading. */
const IDENTIFIERS: ReadonlySet<string> = new Set(['uniqueid', 'machine']);
const REPLACEMENT = '\uFFFD';
/** What is no escape stands for itself. */
const BARE_PERCENT = /%(?![\da-f]{2})/gi;

const QUOTE = 0x22;
/** JSON's white space is this and what is below it. */
const BLANK = 0x20;

/**
 * A number token that binary floating point may not hold exactly: 16 digits or more, or an exponent. Up to 15
 * significant digits survive text → double → text unchanged (IEEE 754 double precision).
 */
const RISKY_NUMBER = /:\s*-?(?:[\d.]{16}|[\d.]+[eE])/;
/** At the end of V8's message; what stands before it may quote the text. */
const POSITION = /in JSON at position (\d+)(?: \(line \d+ column \d+\))?$/;
const COLON = /\s*:/y;

/**
 * Reads a request body into its parameters. Total: any text gives a `Body`, nothing throws.
 *
 * @param text a decoded body; its size is limited by the caller
 * @param isDecimal tells the parameters whose numbers must keep every digit
 */
export function readBody(text: string, format: BodyFormat, isDecimal: (name: string) => boolean): Body {
  return format === 'form' ? readForm(text) : readJson(text, isDecimal);
}

/** The HTTP API's query string: WHATWG rules, pairs split by `;` or `&`; a repeated name is refused. */
function readForm(text: string): Body {
  if (/^\s*[[{]/.test(text)) return unreadable('content_type is form-encoded but the body is JSON');
  if (exceeds(VALUES_MAX, text, ';') || exceeds(VALUES_MAX, text, '&')) return unreadable(TOO_MANY);
  const pairs = text.trim().replaceAll(';', '&');
  if (exceeds(VALUES_MAX, pairs, '&')) return unreadable(TOO_MANY);
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

/** The identifier that has an escape which is no UTF-8: the rules of the web read any such as U+FFFD. */
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
  if (isTooDeep(text))
    return unreadable(`expected a flat JSON object, got one nested more than ${DEPTH_LIMIT} levels deep`);
  if (text.length >= COUNTED_FROM && hasTooMany(text)) return unreadable(TOO_MANY);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return unreadable(`expected a JSON object, got ${syntaxProblem(error, text)}`);
  }
  if (!isObject(value)) return unreadable(`expected a JSON object, got ${nameOfJson(value)}`);
  // A name that stands twice, or nested objects, make the counts differ; so does `":` inside a text: then the
  // slow way looks closer.
  const plainKeys = namesIn(text) === Object.keys(value).length;
  if (plainKeys && !RISKY_NUMBER.test(text)) return { kind: 'fields', fields: value };
  const exact = withExactNumbers(text, isDecimal);
  return without(exact, repeatedNames(text), GIVEN_TWICE);
}

/** The parameters, or the refusal of the first of `wrong` with all others. */
function without(fields: Fields, wrong: ReadonlySet<string>, message: string): Body {
  const [first] = wrong;
  if (first === undefined) return { kind: 'fields', fields };
  const right = Object.entries(fields).filter(([name]) => !wrong.has(name));
  return { kind: 'unreadable', fields: Object.fromEntries(right), key: shownName(first), message };
}

/** Whether there are so many of a character. */
function exceeds(limit: number, text: string, character: string): boolean {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) {
    count += 1;
    if (count >= limit) return true;
  }
  return false;
}

/** Counts the commas outside strings: one is between any two values. */
function hasTooMany(text: string): boolean {
  if (!exceeds(VALUES_MAX, text, ',')) return false;
  let count = 1;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (char === '"') i = endOfString(text, i);
    else if (char === ',') {
      count += 1;
      if (count > VALUES_MAX) return true;
    }
  }
  return false;
}

/**
 * How many names there are if every `":` ends one; NaN where a blank stands before a colon, which may be the end of
 * one as well.
 */
function namesIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) {
    const before = text.charCodeAt(at - 1);
    if (before === QUOTE) count += 1;
    else if (before <= BLANK) return Number.NaN;
  }
  return count;
}

/** The parameters that stand twice in JSON text which is known to be valid. */
function repeatedNames(text: string): Set<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    else if (char === '"') {
      const end = endOfString(text, i);
      COLON.lastIndex = end + 1;
      // Names within a value are not parameters.
      if (depth === 1 && COLON.test(text)) {
        const name = String(JSON.parse(text.slice(i, end + 1)));
        if (seen.has(name)) repeated.add(name);
        seen.add(name);
      }
      i = end;
    }
  }
  return repeated;
}

/** The quotation mark that ends the string which begins at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i;
}

/** Parses again with every number kept as its text, so that no digit passes through a float. */
function withExactNumbers(text: string, isDecimal: (name: string) => boolean): Fields {
  const parsed = parseLossless(text, undefined, {
    parseNumber: (token) => new NumberToken(token),
    // The last one, as JSON.parse takes it.
    onDuplicateKey: ({ newValue }) => newValue,
  });
  if (!isObject(parsed)) return {};
  const fields: Record<string, unknown> = Object.create(null);
  let written = 0;
  for (const [name, value] of Object.entries(parsed)) {
    fields[name] = value;
    if (!(value instanceof NumberToken) || value.text.length > NUMBER_MAX) continue;
    const number = amount(value.text);
    // Beyond this it stays a token, NaN and infinity included.
    if (!(Math.abs(number.e) <= EXPONENT_LIMIT)) continue;
    written += Math.abs(number.e);
    if (written <= WRITTEN_MAX) fields[name] = exactNumber(value, number, isDecimal(name));
  }
  return fields;
}

/**
 * A decimal as plain text; a whole number as a number where that is safe, else as its digits. What would not
 * be the same number then stays a token.
 */
function exactNumber(token: NumberToken, value: Amount, isDecimal: boolean): string | number | NumberToken {
  const vanished = value.isZero() && /^[-0.]*[1-9]/.test(token.text);
  if (vanished) return token;
  if (isDecimal) return plain(value);
  const asNumber = value.toNumber();
  if (value.isInteger() !== Number.isInteger(asNumber)) return token;
  return value.isInteger() && !Number.isSafeInteger(asNumber) ? plain(value) : asNumber;
}

/** Counts brackets outside strings, only where there can be more than the object's own. */
function isTooDeep(text: string): boolean {
  if (text.indexOf('[') < 0 && text.indexOf('{', text.indexOf('{') + 1) < 0) return false;
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (char === '"') i = endOfString(text, i);
    else if (char === '{' || char === '[') {
      depth += 1;
      if (depth > DEPTH_LIMIT) return true;
    } else if (char === '}' || char === ']') depth -= 1;
  }
  return false;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function nameOfJson(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

/** Where the syntax breaks, never what stands there: V8 quotes the text in its message, and that may be a password. */
function syntaxProblem(error: unknown, text: string): string {
  if (text.trim() === '') return 'an empty body';
  const position = error instanceof Error ? POSITION.exec(error.message)?.[1] : undefined;
  return position === undefined
    ? 'invalid JSON: unexpected end of input or invalid character'
    : `invalid JSON: unexpected character at position ${position}`;
}

const TOO_MANY = `body has more than ${VALUES_MAX} parameters`;
const GIVEN_TWICE = 'parameter given more than once';

function unreadable(message: string): Body {
  return { kind: 'unreadable', fields: {}, key: '', message };
}
