import * as z from 'zod';
import { amount, canonical, GIVEN_INTEGER_DIGITS, plain, SCALE } from './money.ts';
import { clean, cut, TEXT_MAX } from './text.ts';

/** Highest ID or count: PostgreSQL's integer. */
export const INTEGER_MAX = 2_147_483_647;
/** 9999-12-31T23:59:59Z in Unix seconds. */
export const TIMESTAMP_MAX = 253_402_300_799;

const IDENTIFIER_MAX = 255;
const WHOLE = /^-?(?:0|[1-9][0-9]*)$/;
const DECIMAL = new RegExp(`^-?(?:0|[1-9][0-9]{0,${GIVEN_INTEGER_DIGITS - 1}})(?:[.][0-9]{1,${SCALE}})?$`);
/** C0, DEL and C1 controls and lone surrogates have no place in what identifies a call. */
const IDENTIFIER = new RegExp(`^[^\\p{Cc}\\p{Cs}]{1,${IDENTIFIER_MAX}}$`, 'u');

/** How a parameter is stored: store/persist/columns.ts has the type of its column and the way there and back. */
export type StoredAs = 'text' | 'currency' | 'smallint' | 'integer' | 'bigint' | 'decimal' | 'timestamp';

/** What the documents say of a parameter, what a refusal says was expected, and how it is stored. */
export interface ParameterRow {
  type: 'String' | 'Integer' | 'Decimal';
  storedAs: StoredAs;
  expected: string;
  description: string;
  required: boolean;
  /** As the source contract words it. */
  defaultText: string;
}

/** What stands for a value that a parameter does not take. */
const REFUSED = Symbol('refused');

/** The documentation of each parameter and the function that reads it, kept beside its schema. */
const rows = z.registry<ParameterRow & { read: (value: unknown) => unknown }>();

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** Python's `$` also stands before a line feed at the end. */
const NO_LINE_FEED: JsonSchema = { not: { pattern: '\n' } };
/**
 * C0, DEL and C1 as they are: no escape and no class (`\p{Cc}`) means them in all of ECMAScript, Python and Go. For lone
 * surrogates there is no pattern that Go would take, so the schema does not refuse them.
 */
const NO_CONTROLS: JsonSchema = { not: { pattern: '[\u0000-\u001f\u007f-\u009f]' } };

/** A kind of value: how it is read, and the same as JSON Schema; test/domain/schema.test.ts holds one to the other. */
export interface Kind<Value> extends Pick<ParameterRow, 'type' | 'storedAs' | 'expected'> {
  /** The normalised value, or REFUSED. One function a parameter: a union of schemas would cost ten times as much. */
  read: (value: unknown) => Value | typeof REFUSED;
  json: JsonSchema;
}

function whole(min: number, max: number, storedAs: StoredAs = integerFor(max)): Kind<number> {
  return {
    type: 'Integer',
    storedAs,
    expected: `a whole number from ${min} to ${max}`,
    read: (value) => {
      const isWhole = typeof value === 'string' ? WHOLE.test(value) : Number.isSafeInteger(value);
      const number = Number(value);
      // `+ 0` turns -0 into 0.
      return isWhole && number >= min && number <= max ? number + 0 : REFUSED;
    },
    json: {
      anyOf: [
        { type: 'integer', minimum: min, maximum: max },
        { type: 'string', pattern: WHOLE.source, ...NO_LINE_FEED },
      ],
    },
  };
}

/** The smallest of PostgreSQL's integers that holds it. */
function integerFor(max: number): StoredAs {
  if (max <= 32_767) return 'smallint';
  return max <= INTEGER_MAX ? 'integer' : 'bigint';
}

/** The kinds that corrections have as well (correction-contract.ts). */
export const id = whole(0, INTEGER_MAX);
export const count = whole(0, INTEGER_MAX);
const timestamp = whole(0, TIMESTAMP_MAX, 'timestamp');
const presentation = whole(0, 127);
const yesOrNo = whole(0, 1);

/** Text as it came, or a whole number taken as its digits; undefined for anything else. */
function textIn(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return Number.isSafeInteger(value) ? String(value) : undefined;
}

/** Comes from callers: never refused for what it says, only made storable. */
const text: Kind<string> = {
  type: 'String',
  storedAs: 'text',
  expected: 'text',
  read: (value) => {
    const given = textIn(value);
    return given === undefined ? REFUSED : clean(given);
  },
  json: { type: ['string', 'integer'] },
};

export const identifier: Kind<string> = {
  type: 'String',
  storedAs: 'text',
  expected: '1 to 255 characters, no control characters',
  read: (value) => {
    const given = textIn(value);
    return given !== undefined && IDENTIFIER.test(given) ? given : REFUSED;
  },
  json: {
    anyOf: [{ type: 'string', minLength: 1, maxLength: IDENTIFIER_MAX, ...NO_CONTROLS }, { type: 'integer' }],
  },
};

/** Never stored or shown, so taken as it is; an empty one counts as missing. */
export const secret: Kind<string> = {
  type: 'String',
  storedAs: 'text',
  expected: 'non-empty text',
  read: (value) => textIn(value) || REFUSED,
  json: { anyOf: [{ type: 'string', minLength: 1 }, { type: 'integer' }] },
};

export const decimal: Kind<string> = {
  type: 'Decimal',
  storedAs: 'decimal',
  expected: `a decimal with up to ${GIVEN_INTEGER_DIGITS} integer and ${SCALE} fraction digits, such as 12.5`,
  read: (value) => {
    const given = typeof value === 'number' && Number.isFinite(value) ? plain(amount(String(value))) : value;
    return typeof given === 'string' && DECIMAL.test(given) ? canonical(given) : REFUSED;
  },
  json: { anyOf: [{ type: 'string', pattern: DECIMAL.source, ...NO_LINE_FEED }, { type: 'number' }] },
};

export const currencyCode: Kind<string> = {
  ...text,
  storedAs: 'currency',
  expected: 'the code of a known currency, such as EUR',
};

export const taxList: Kind<string> = {
  type: 'String',
  storedAs: 'text',
  expected: 'tax IDs or names, separated by commas, without empty items or duplicates',
  read: (value) => {
    const given = textIn(value);
    const isNoId = typeof value === 'number' && value < 0;
    if (given === undefined || isNoId) return REFUSED;
    const items = taxItems(given);
    return areTaxes(items) && cut(given, TEXT_MAX) === given ? items.join(',') : REFUSED;
  },
  json: { anyOf: [{ type: 'string' }, { type: 'integer', minimum: 0, maximum: INTEGER_MAX }] },
};

function word<const Word extends string>(words: readonly Word[]): Kind<Word> {
  return {
    type: 'String',
    storedAs: 'text',
    expected: `one of ${words.join(', ')}`,
    read: (value) => (isOneOf(words, value) ? value : REFUSED),
    json: { type: 'string', enum: [...words] },
  };
}

function isOneOf<const Word extends string>(words: readonly Word[], value: unknown): value is Word {
  return (words as readonly unknown[]).includes(value);
}

const media = word(['fax', 'message', 'voice']);
const callStatus = word(['answer', 'busy', 'cancel', 'chanunavail', 'congestion', 'error', 'noanswer']);

/** The items of a tax list as they were given, blanks around them removed. */
export function taxItems(list: string): string[] {
  if (!list.includes(',')) return [clean(list.trim())];
  return list.split(',').map((item) => clean(item.trim()));
}

function areTaxes(items: readonly string[]): boolean {
  const wellFormed = items.every((item) => item !== '' && (!/^\d+$/.test(item) || isTaxId(item)));
  return wellFormed && (items.length === 1 || new Set(items).size === items.length);
}

function isTaxId(item: string): boolean {
  return WHOLE.test(item) && Number(item) <= INTEGER_MAX;
}

/** The schema of one parameter, with its documentation and its JSON Schema beside it. */
export function parameter<Value>(
  read: (value: unknown) => Value | typeof REFUSED,
  row: ParameterRow,
  json: JsonSchema,
): z.ZodTransform<Value, unknown> {
  const schema = z
    .transform((value: unknown, context): Value => {
      const result = read(value);
      if (result !== REFUSED) return result;
      context.issues.push({ code: 'custom', input: value });
      return z.NEVER;
    })
    .meta({ ...json });
  rows.add(schema, { ...row, read });
  return schema;
}

export function required<Value>(kind: Kind<Value>, description: string) {
  const { read, json, ...documented } = kind;
  const { expected } = documented;
  const row = { ...documented, description, required: true, defaultText: '' };
  return parameter(read, row, { description: `${description} ${expected}`, ...json });
}

/** Missing or empty means `fallback`; null stands for a default that depends on other parameters. */
function optional<Value, Fallback extends Value | null>(
  kind: Kind<Value>,
  description: string,
  fallback: Fallback,
  defaultText: string,
) {
  const { read: readValue, json, ...documented } = kind;
  const { expected } = documented;
  const read = (value: unknown): Value | Fallback | typeof REFUSED =>
    value === undefined || value === '' ? fallback : readValue(value);
  const row = { ...documented, description, required: false, defaultText };
  return parameter(read, row, {
    description: `${description} ${expected}; default: ${defaultText}`,
    anyOf: [{ type: 'string', const: '' }, json],
  });
}

const EMPTY = 'Empty string.';

const contract = z.strictObject({
  auth_username: required(secret, 'Authentication username.'),
  auth_password: required(secret, 'Authentication password.'),
  uniqueid: required(identifier, 'Uniqueid.'),
  machine: required(identifier, 'Machine.'),
  start: required(timestamp, 'Start Unix timestamp.'),
  scustomer: required(id, 'ID of customer making call.'),
  stype: optional(text, 'Source type.', '', EMPTY),
  snumber: optional(text, 'Source number.', '', EMPTY),
  spresent: optional(presentation, 'Source presentation in ISDN format.', 0, '0'),
  sname: optional(text, 'Source caller name.', '', EMPTY),
  ctype: optional(text, 'Called type.', '', EMPTY),
  cnumber: optional(text, 'Called number.', '', EMPTY),
  dcustomer: optional(id, 'ID of destination customer.', null, 'Same as scustomer.'),
  dtype: optional(text, 'Destination type.', '', EMPTY),
  dnumber: optional(text, 'Destination number.', '', EMPTY),
  callid: optional(text, 'Callid.', null, 'Same as uniqueid.'),
  channel: optional(text, 'Channel.', '', EMPTY),
  cost: optional(decimal, 'Cost to customer making call.', '0', '0.00'),
  currency: optional(currencyCode, 'Currency cost is in.', null, 'System currency.'),
  end: optional(timestamp, 'End Unix timestamp.', null, 'Same as start.'),
  ingroup_time: optional(id, 'ID of ingroup_time.', 0, '0'),
  invoice: optional(id, 'ID of invoice. 0 for none.', 0, '0'),
  media: optional(media, 'Media. "fax", "message", or "voice".', 'voice', '"voice"'),
  messages: optional(count, 'Number of included messages used.', 0, '0'),
  note: optional(text, 'Note to attach to call.', '', EMPTY),
  outgroup_time: optional(id, 'ID of outgroup_time.', 0, '0'),
  peer: optional(id, 'ID of peer. 0 for none.', 0, '0'),
  recording: optional(text, 'Recording path.', '', EMPTY),
  status: optional(
    callStatus,
    'Call status. "answer", "busy", "cancel", "chanunavail", "congestion", "error", "noanswer".',
    'answer',
    '"answer"',
  ),
  talktime: optional(count, 'Talk time in seconds.', null, 'end - start'),
  taxes: optional(taxList, 'Comma separated list of taxes to apply.', '', EMPTY),
  time: optional(count, 'Included time used in seconds.', 0, '0'),
  totaltime: optional(count, 'Total time in seconds.', null, 'end - start'),
  update_balance: optional(yesOrNo, '1 to update balance of customer making call, 0 not to.', 1, '1'),
  update_invoices: optional(yesOrNo, '1 to update any affected invoices, 0 not to.', 1, '1'),
  validation: optional(yesOrNo, '1 to validate input then return, 0 for full action.', 0, '0'),
});

export type ParameterName = keyof typeof contract.shape;
export type Parameters = z.output<typeof contract>;

export const parameterNames = Object.keys(contract.shape) as ParameterName[];

const readers = parameterNames.flatMap((name) => {
  const row = rows.get(contract.shape[name]);
  return row === undefined ? [] : [{ name, read: row.read }];
});

/** What a message says of its call. */
export type CallParameters = Omit<Parameters, 'auth_username' | 'auth_password' | 'validation'>;

const NOT_OF_THE_CALL: readonly ParameterName[] = ['auth_username', 'auth_password', 'validation'];
export const callParameterNames = parameterNames.filter(
  (name) => !NOT_OF_THE_CALL.includes(name),
) as (keyof CallParameters)[];

/** Its copies have every name in place; an object that grows name by name leaves five times as much behind. */
const unsetIn = (names: readonly string[]) =>
  Object.fromEntries(names.map((name): [string, unknown] => [name, null]));
const unread = unsetIn(parameterNames);
const unreadCall = unsetIn(callParameterNames);

/** Those parameters of a body that `unset` has, if all keep the contract, in one pass. */
function readInto(unset: typeof unread, fields: object): typeof unread | typeof REFUSED {
  for (const name in fields) if (!Object.hasOwn(unread, name)) return REFUSED;
  const given = fields as Readonly<Record<string, unknown>>;
  const values = { ...unset };
  for (const { name, read } of readers) {
    const value = read(given[name]);
    if (value === REFUSED) return REFUSED;
    if (name in values) values[name] = value;
  }
  return values;
}

/** For zod; INVALID where it is to say what is wrong. */
function readAll(fields: unknown): Parameters | typeof z.INVALID {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return z.INVALID;
  const values = readInto(unread, fields);
  return values === REFUSED ? z.INVALID : (values as Parameters);
}

/** The call of a message that keeps the contract; undefined where `parameters` has something to say against it. */
export function readCall(fields: Readonly<Record<string, unknown>>): CallParameters | undefined {
  const values = readInto(unreadCall, fields);
  return values === REFUSED ? undefined : (values as CallParameters);
}

const readValidation = rows.get(contract.shape.validation)?.read;

/** Whether a message only asks whether its call would be accepted (validation=1). */
export function asksForValidation(fields: Readonly<Record<string, unknown>>): boolean {
  return readValidation?.(fields.validation) === 1;
}

/**
 * Every parameter of cdrs/create, in the order of the source contract: the one source of validation, of the
 * JSON Schema and AsyncAPI documents and of the table in docs/contract.md. Output values are normalised. What is
 * right is read without zod's own steps, which leave 10 KB of garbage a message; test/domain/schema.test.ts holds
 * both ways to each other.
 */
export const parameters = z.withParser(contract, readAll);

/** zod's registry makes a row anew each time that it is asked, and each parameter of a refused message asks. */
const rowByName: ReadonlyMap<string, ParameterRow | undefined> = new Map(
  parameterNames.map((name) => [name, rowIn(contract.shape, name)]),
);

/** What the documents say of a parameter; undefined for a name that the contract does not have. */
export function parameterRow(name: string): ParameterRow | undefined {
  return rowByName.get(name);
}

/** The same of a parameter in another shape made of these kinds. */
export function rowIn(shape: Readonly<Record<string, z.ZodType>>, name: string): ParameterRow | undefined {
  const schema = Object.hasOwn(shape, name) ? shape[name] : undefined;
  return schema === undefined ? undefined : rows.get(schema);
}

/** Whether a parameter is an amount, whose JSON number must be read digit by digit. */
export function isDecimal(name: string): boolean {
  return parameterRow(name)?.type === 'Decimal';
}
