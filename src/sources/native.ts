import { NumberToken } from '../domain/json-number.ts';
import { amount, plain } from '../domain/money.ts';
import { Failure, unexpected } from './failure.ts';

/** A native record: JSON as it was parsed, or an object of columns. */
export type NativeRecord = unknown;

/** A name that stands more than once with different values: nobody can say which one is meant. */
export class Ambiguous {}

/** Text with an escape that is no UTF-8; `text` has U+FFFD there. Two such texts may look the same and not be. */
export class Damaged {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Names and indexes from the record down to a value. */
export type Path = readonly string[];

/** Reads one value of a record as text; numbers keep every digit. */
export type FieldReader = (record: NativeRecord) => string | Failure;

/** Beyond this power of ten a number is no amount, time or count, and writing it out would only cost memory. */
const EXPONENT_LIMIT = 300;
const NUMBER_MAX = 1000;

/**
 * The value at a path as text. Absent, null and empty are missing: an empty cost must not become the contract's
 * default. `true` and `false` are texts, for tables and `skip`.
 *
 * @param isIdentity the value tells calls apart: numbers stay as they are written (1790000000.4120 is another
 *   uniqueid than 1790000000.412), and damaged text is refused
 */
export function fieldReader(path: Path, isIdentity: boolean): FieldReader {
  const name = path.join('.');
  const missing = new Failure('missing', `field ${name} is missing`);
  const empty = new Failure('missing', `field ${name} is empty`);
  return (record) => {
    const value = valueAt(record, path);
    if (typeof value === 'string') return value === '' ? empty : value;
    if (value === undefined || value === null) return missing;
    return asText(value, name, isIdentity);
  };
}

function valueAt(record: NativeRecord, path: Path): unknown {
  let value = record;
  for (const name of path) {
    // A list has own properties beside its items.
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    if (Array.isArray(value) && name === 'length') return undefined;
    value = (value as Record<string, unknown>)[name];
    if (value instanceof NumberToken || value instanceof Damaged || value instanceof Ambiguous) {
      return name === path.at(-1) ? value : undefined;
    }
  }
  return value;
}

function asText(value: NonNullable<unknown>, name: string, isIdentity: boolean): string | Failure {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value instanceof NumberToken) return isIdentity ? value.text : digits(value.text, name);
  if (value instanceof Damaged && !isIdentity) return value.text;
  if (value instanceof Damaged) return wrong(name, 'expected UTF-8, got an escape that is none');
  if (value instanceof Ambiguous) return wrong(name, 'stands more than once with different values');
  return wrong(name, `expected one value, got ${Array.isArray(value) ? 'a list' : 'an object'}`);
}

/** A JSON number in plain digits: 1.5e-1 is 0.15. */
function digits(text: string, name: string): string | Failure {
  if (!/[eE]/.test(text)) return text;
  const value = text.length > NUMBER_MAX ? undefined : amount(text);
  if (value === undefined || !(Math.abs(value.e) <= EXPONENT_LIMIT))
    return wrong(name, unexpected('a number of ordinary size', text));
  return plain(value);
}

function wrong(name: string, message: string): Failure {
  return new Failure('wrong', `field ${name}: ${message}`);
}
