import { z } from 'zod';
import { amount, canonical, plain } from './money.ts';
import { clean, cut, TEXT_MAX } from './text.ts';

/** Highest ID or count: PostgreSQL's integer. */
export const INTEGER_MAX = 2_147_483_647;
/** 9999-12-31T23:59:59Z in Unix seconds. */
export const TIMESTAMP_MAX = 253_402_300_799;

const WHOLE = /^-?(?:0|[1-9]\d*)$/;
const DECIMAL = /^-?(?:0|[1-9]\d{0,11})(?:\.\d{1,6})?$/;
/** C0, DEL and C1 controls and lone surrogates have no place in what identifies a call. */
const IDENTIFIER = /^[^\p{Cc}\p{Cs}]{1,255}$/u;

/** What the documents say of a parameter, and what a refusal says was expected. */
export interface ParameterRow {
  type: 'String' | 'Integer' | 'Decimal';
  expected: string;
  description: string;
  required: boolean;
  /** As the source contract words it. */
  defaultText: string;
}

/** The documentation of each parameter, kept beside its schema. */
const rows = z.registry<ParameterRow>();

interface Kind<Schema extends z.ZodType> {
  type: ParameterRow['type'];
  expected: string;
  schema: Schema;
}

function whole(min: number, max: number) {
  const inRange = (text: string) => Number(text) >= min && Number(text) <= max;
  return {
    type: 'Integer' as const,
    expected: `a whole number from ${min} to ${max}`,
    // `+ 0` turns -0 into 0.
    schema: z
      .union([z.int().min(min).max(max), z.string().regex(WHOLE).refine(inRange)])
      .transform((value) => Number(value) + 0),
  };
}

const id = whole(0, INTEGER_MAX);
const count = whole(0, INTEGER_MAX);
const timestamp = whole(0, TIMESTAMP_MAX);
const presentation = whole(0, 127);
const yesOrNo = whole(0, 1);

/** Comes from callers: never refused for what it says, only made storable. */
const text = {
  type: 'String' as const,
  expected: 'text',
  schema: z.union([z.string(), z.int()]).transform((value) => clean(String(value))),
};

const identifier = {
  type: 'String' as const,
  expected: '1 to 255 characters, none of them a control character',
  schema: z.union([z.string().regex(IDENTIFIER), z.int()]).transform(String),
};

/** Never stored or shown, so taken as it is; an empty one counts as missing. */
const secret = {
  type: 'String' as const,
  expected: 'text of at least 1 character',
  schema: z.union([z.string().min(1), z.int()]).transform(String),
};

const decimal = {
  type: 'Decimal' as const,
  expected: 'a decimal of up to 12 integer and 6 fraction digits, such as 12.5',
  schema: z
    .union([
      z.string().regex(DECIMAL),
      z.number().refine((value) => DECIMAL.test(plain(amount(String(value))))),
    ])
    .transform((value) => canonical(String(value))),
};

const currencyCode = { ...text, expected: 'the code of a known currency, such as EUR' };

const taxList = {
  type: 'String' as const,
  expected: 'IDs or names of taxes, separated by commas, none empty and none twice',
  schema: z
    .union([z.string().refine(isTaxList), z.int().min(0).max(INTEGER_MAX)])
    .transform((value) => taxItems(String(value)).join(',')),
};

function word<const Words extends readonly [string, ...string[]]>(words: Words) {
  return { type: 'String' as const, expected: `one of ${words.join(', ')}`, schema: z.enum(words) };
}

const media = word(['fax', 'message', 'voice']);
const callStatus = word(['answer', 'busy', 'cancel', 'chanunavail', 'congestion', 'error', 'noanswer']);

/** The items of a tax list as they were given, blanks around them removed. */
export function taxItems(list: string): string[] {
  return list.split(',').map((item) => clean(item.trim()));
}

function isTaxList(list: string): boolean {
  const items = taxItems(list);
  const wellFormed = items.every((item) => item !== '' && (!/^\d+$/.test(item) || isTaxId(item)));
  return wellFormed && cut(list, TEXT_MAX) === list && new Set(items).size === items.length;
}

function isTaxId(item: string): boolean {
  return WHOLE.test(item) && Number(item) <= INTEGER_MAX;
}

function documented<Schema extends z.ZodType>(schema: Schema, row: ParameterRow): Schema {
  rows.add(schema, row);
  return schema;
}

function required<Schema extends z.ZodType>(kind: Kind<Schema>, description: string) {
  const { type, expected } = kind;
  const schema = kind.schema.meta({ description: `${description} ${expected}` });
  return documented(schema, { type, expected, description, required: true, defaultText: '' });
}

/** Missing or empty means `fallback`; null stands for a default that depends on other parameters. */
function optional<Schema extends z.ZodType, Fallback extends z.output<Schema> | null>(
  kind: Kind<Schema>,
  description: string,
  fallback: Fallback,
  defaultText: string,
) {
  const { type, expected } = kind;
  const schema = z
    .union([z.literal(''), kind.schema])
    .optional()
    .transform((value) => (value === undefined || value === '' ? fallback : (value as z.output<Schema>)))
    .meta({ description: `${description} ${expected}; default: ${defaultText}` });
  return documented(schema, { type, expected, description, required: false, defaultText });
}

const EMPTY = 'Empty string.';

/**
 * Every parameter of cdrs/create, in the order of the source contract: the one source of validation, of the
 * JSON Schema and AsyncAPI documents and of the table in docs/contract.md. Output values are normalised.
 */
export const parameters = z.strictObject({
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

export type ParameterName = keyof typeof parameters.shape;
export type Parameters = z.output<typeof parameters>;

export const parameterNames = Object.keys(parameters.shape) as ParameterName[];

/** What the documents say of a parameter; undefined for a name that the contract does not have. */
export function parameterRow(name: string): ParameterRow | undefined {
  const schema = Object.hasOwn(parameters.shape, name) ? parameters.shape[name as ParameterName] : undefined;
  return schema === undefined ? undefined : rows.get(schema);
}

/** Whether a parameter is an amount, whose JSON number must be read digit by digit. */
export function isDecimal(name: string): boolean {
  return parameterRow(name)?.type === 'Decimal';
}
