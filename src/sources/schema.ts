import * as z from 'zod';
import { parameterNames, parameterRow } from '../domain/contract.ts';
import { EVERY, EVERY_EXPECTED } from '../domain/every.ts';
import { DURATIONS, ROUNDINGS } from './durations.ts';
import { SIP_PARTS } from './phone.ts';

/**
 * The sources file: the one source of its validation, of sources/sources.schema.json and of the tables of keys in
 * docs/sources.md. YAML is read with every scalar as text (load.ts), so that 007 stays 007 and `no` stays no; editors
 * are told that numbers and true or false are fine where text is.
 */
const text = z
  .string()
  .min(1)
  .meta({ type: ['string', 'number', 'boolean'], minLength: 1 });
const words = z.array(text).min(1);
const flag = z.literal('true').meta({ type: 'boolean', const: true });
const small = z.string().regex(/^[0-9]{1,4}$/, 'a number of lines');
const count = small.meta({ type: 'integer', pattern: undefined, minimum: 0, maximum: 9999 });

const path = z.union([text, words]);

/** Names with a time of their own; anything else is a pattern. */
export const TIME_FORMS = ['s', 'ms', 'us', 'ns', 'gregorian', 'iso', 'ctime'] as const;

/** Where a value comes from and what is done to it, as the file says it; a path alone is `{ from: path }`. */
export type ValueSpec = string | string[] | OperatorsSpec;
/** Values inside of values are typed as what TypeScript can follow; compile.ts takes them for `ValueSpec`. */
export type OperatorsSpec = z.output<typeof operators>;

const value: z.ZodType<string | string[] | Readonly<Record<string, unknown>>> = z
  .lazy(() => z.union([text, words, operators]))
  .meta({ id: 'value' });
const values = z.array(value).min(2);

const numberPlan = z.strictObject({
  country: text
    .regex(/^[0-9]{1,3}$/, '1 to 3 digits')
    .optional()
    .describe('The calling code that stands in place of `national`.'),
  international: text
    .regex(/^[0-9]{1,6}$/, '1 to 6 digits')
    .default('00')
    .describe('What is dialled before an international number.'),
  national: text
    .regex(/^[0-9]{1,3}$/, '1 to 3 digits')
    .default('0')
    .describe('What is dialled before a national number.'),
});

const decimalRules = z.strictObject({
  point: z.enum(['.', ',']).default('.').describe('The decimal separator.'),
  shift: z
    .string()
    .regex(/^-?[0-9]{1,2}$/, 'a whole number from -99 to 99')
    .meta({ type: 'integer', pattern: undefined, minimum: -99, maximum: 99 })
    .default('0')
    .describe('Moves the decimal separator: -2 makes cents units.'),
  round: z
    .enum(ROUNDINGS)
    .optional()
    .describe('To 6 places; without it, an amount with more digits is a dead letter.'),
});

export const operators = z
  .strictObject({
    from: path
      .optional()
      .describe('A column, or a path into JSON: names separated by dots, or a list of names.'),
    first: values.optional().describe('The first of these that is there.'),
    join: values.optional().describe('All of these, separated by `by`.'),
    sum: values.optional().describe('A time and one or more durations.'),
    between: z.array(value).length(2).optional().describe('From one time to another: a duration.'),
    constant: text.optional().describe('This text, whatever the record says.'),
    by: z
      .string()
      .regex(/^[ !-$&-/:-@[-`{-~]$/, 'one ASCII character that is no letter, digit or %')
      .optional()
      .describe('What separates the parts of `join`: one character, no letter, digit or %. Default /.'),
    none: words.optional().describe('Values that mean that there is none, such as "0" or "<unknown>".'),
    decode: z.enum(['percent']).optional().describe('Resolves percent escapes.'),
    sip: z.enum(SIP_PARTS).optional().describe('A part of a SIP address.'),
    number: numberPlan.optional().describe('A telephone number in international digits.'),
    table: z
      .record(z.string(), text)
      .optional()
      .describe('What stands for each value. A value that is not in it takes `else`.'),
    else: text.optional().describe('What stands for a value that `table` does not have.'),
    time: z
      .union([
        z.enum(TIME_FORMS),
        z.string().regex(/yyyy/, 's, ms, us, ns, gregorian, iso, ctime or a pattern with yyyy'),
      ])
      .optional()
      .describe('How a time is written: s, ms, us or ns since 1970, gregorian, iso, ctime, or a pattern.'),
    zone: text.optional().describe('The zone of times that bring no offset: an IANA name or +02:00.'),
    duration: z.enum(DURATIONS).optional().describe('How a duration is written.'),
    round: z
      .enum(ROUNDINGS)
      .optional()
      .describe('How a part of a second becomes a whole one. Times: down, if not said.'),
    decimal: decimalRules.optional().describe('An amount.'),
    lookup: text.optional().describe('A kind of key in customer_keys; `peers` for a peer by its name.'),
    optional: flag.optional().describe('Leaves the parameter out where the value is missing.'),
  })
  .meta({ id: 'operators' });

/** Parameters that a feed maps: all but the credentials, which a feed has none of, and `validation`. */
export const mappedNames = parameterNames.filter(
  (name) => !name.startsWith('auth_') && name !== 'validation',
);
/** Required by the contract, or charged by. */
const callShape = Object.fromEntries(
  mappedNames.map((name) => {
    const row = parameterRow(name);
    return [name, (row?.required ? value : value.optional()).describe(row?.description ?? '')];
  }),
);

const lines = z.strictObject({ starts: text.describe('How such lines begin.') });
const header = z.union([count, z.literal('columns'), lines]);
const trailer = z.union([count, lines]);
const HEADER =
  'Lines at the beginning of a file that are no records: how many, how they begin, or (csv) `columns` for one that names the columns.';
const TRAILER = 'Lines at the end of a file that are no records: how many, or how they begin.';

const shared = {
  exchange: text.max(255).describe('The exchange that the feed publishes to. It belongs to one feed.'),
  type: z.enum(['topic', 'fanout', 'direct']).default('topic').describe('The type of the exchange.'),
  keys: words.optional().describe('The routing keys of a direct exchange, which drops all others.'),
  as: text.max(255).describe('The system user in whose name the calls are stored.'),
  machines: words.describe('The machines that the feed may name.'),
  skip: z
    .record(z.string(), words)
    .optional()
    .describe('Fields and the values of them whose records are left out and counted.'),
  every: z
    .string()
    .regex(EVERY, EVERY_EXPECTED)
    .optional()
    .describe('How often the feed is heard of at least: 90s, 15m, 2h, 1d.'),
  sequence: path.optional().describe('A field that counts the records.'),
  call: z.strictObject(callShape).describe('Where each parameter of the call comes from.'),
};

/** The schema of a feed by its format. */
export const feeds = {
  json: z.strictObject({
    ...shared,
    format: z.literal('json').describe('How a record is written.'),
    root: path.optional().describe('The object that paths begin in.'),
  }),
  form: z.strictObject({ ...shared, format: z.literal('form').describe('name=value pairs.') }),
  csv: z.strictObject({
    ...shared,
    format: z.literal('csv').describe('One line of values.'),
    columns: words.describe('The names of the columns, in order.'),
    separator: z.string().length(1).default(',').describe('What separates the fields.'),
    quote: z.string().max(1).default('"').describe('What quotes a field; empty for none.'),
    header: header.optional().describe(HEADER),
    trailer: trailer.optional().describe(TRAILER),
  }),
  positional: z.strictObject({
    ...shared,
    format: z.literal('positional').describe('Fields at fixed positions of a line.'),
    fields: z
      .record(
        z.string(),
        z.string().regex(/^[1-9][0-9]{0,4}(?:-[1-9][0-9]{0,4})?$/, 'positions such as 1-20'),
      )
      .describe('Where each field stands: its first and last character, counted from 1, such as 1-20.'),
    header: z.union([count, lines]).optional().describe(HEADER),
    trailer: trailer.optional().describe(TRAILER),
  }),
};

/** One feed; which keys it has depends on its format. */
export const feedSchema = z.discriminatedUnion('format', [
  feeds.json,
  feeds.form,
  feeds.csv,
  feeds.positional,
]);
export type FeedSpec = z.output<typeof feedSchema>;

const name = z.string().regex(/^[A-Za-z0-9_.-]{1,100}$/);

/** Whether a feed can have this name. */
export function isFeedName(text: string): boolean {
  return name.safeParse(text).success;
}

export const sourcesSchema = z.record(name, feedSchema);
