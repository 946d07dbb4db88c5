import { type Cdr, type CdrField, cdrFields } from '../../domain/cdr.ts';
import type { Charge } from '../../domain/charge.ts';
import { isDecimal, parameterRow, type StoredAs } from '../../domain/contract.ts';
import type { Call, CallOnRecord } from '../../domain/decide.ts';
import { amountType, canonical, GIVEN_INTEGER_DIGITS, plain } from '../../domain/money.ts';
import { type Sql, statement } from '../sql.ts';
import { Lines, type Value } from './lines.ts';

/** One column of `cdrs`, as a batch sends it. */
interface Column {
  name: string;
  /** PostgreSQL's type of the value that is sent. */
  type: string;
  /** Null is sent as ''. */
  isNullable?: true;
  of: (call: Call, charge: Charge) => Value;
  /** SQL of the column's value from the one that is sent. */
  write?: (value: string) => string;
}

/** A kind of parameter in the database. */
interface Storage {
  /** The column's type, as format_type() names it. */
  column: string;
  /** PostgreSQL's type of the value that is sent. */
  type: string;
  /** SQL of the column's value from the one that is sent, where they differ. */
  write?: (value: string) => string;
  /** SQL of the submitted value from the column, where they differ. */
  read?: (column: string) => string;
}

/** How each kind of parameter is stored. A decimal is read back as text: JSON would make a double of it. */
const STORAGE: Readonly<Record<StoredAs, Storage>> = {
  text: { column: 'text', type: 'text' },
  currency: { column: 'character(3)', type: 'char(3)' },
  smallint: { column: 'smallint', type: 'smallint' },
  integer: { column: 'integer', type: 'int' },
  bigint: { column: 'bigint', type: 'bigint' },
  decimal: {
    column: amountType(GIVEN_INTEGER_DIGITS),
    type: 'numeric',
    read: (column) => `${column}::text`,
  },
  timestamp: {
    column: 'timestamp(0) with time zone',
    type: 'float8',
    write: (value) => `to_timestamp(${value})`,
    read: (column) => `extract(epoch from ${column})::bigint`,
  },
};

function storageOf(name: CdrField): Storage {
  const row = parameterRow(name);
  if (row === undefined) throw new Error(`${name} is no parameter of the contract`);
  return STORAGE[row.storedAs];
}

/** Parameters that are not stored as they were submitted. */
const STORED_DIFFERENTLY: Partial<
  Record<CdrField, Pick<Column, 'isNullable' | 'of'> & Pick<Storage, 'read'>>
> = {
  invoice: {
    isNullable: true,
    of: (_, { invoice }) => invoice,
    read: (column) => `case when invoice_named then ${column} else 0 end`,
  },
  peer: {
    isNullable: true,
    of: ({ cdr }) => (cdr.peer === 0 ? null : cdr.peer),
    read: (column) => `coalesce(${column}, 0)`,
  },
};

/** What was charged, on which terms, and for whom. */
const CHARGE_COLUMNS: readonly Column[] = [
  { name: 'invoice_named', type: 'boolean', of: ({ cdr }) => String(cdr.invoice !== 0) },
  { name: 'invoice_late', type: 'boolean', of: (_, { invoiceLate }) => String(invoiceLate) },
  { name: 'tax', type: 'numeric', of: (_, { tax }) => plain(tax) },
  { name: 'charged', type: 'numeric', of: (_, { charged }) => plain(charged) },
  { name: 'invoice_cost', type: 'numeric', of: (_, { invoiceCost }) => plain(invoiceCost) },
  { name: 'invoice_tax', type: 'numeric', of: (_, { invoiceTax }) => plain(invoiceTax) },
  { name: 'system_rate', type: 'numeric', of: (_, { terms }) => plain(terms.systemRate) },
  { name: 'currency_rate', type: 'numeric', of: (_, { terms }) => plain(terms.currencyRate) },
  { name: 'customer_currency', type: 'char(3)', of: (_, { terms }) => terms.customerCurrency },
  { name: 'customer_rate', type: 'numeric', of: (_, { terms }) => plain(terms.customerRate) },
  {
    name: 'invoice_currency',
    type: 'char(3)',
    isNullable: true,
    of: (_, { terms }) => terms.invoiceCurrency,
  },
  {
    name: 'invoice_rate',
    type: 'numeric',
    isNullable: true,
    of: (_, { terms }) => terms.invoiceRate && plain(terms.invoiceRate),
  },
  { name: 'tax_terms', type: 'jsonb', isNullable: true, of: (_, { terms }) => taxTerms(terms.taxes) },
  {
    name: 'fingerprint',
    type: 'text',
    of: ({ fingerprint }) => fingerprint,
    write: (value) => `decode(${value}, 'hex')`,
  },
  { name: 'submitted_by', type: 'text', of: ({ submittedBy }) => submittedBy },
  { name: 'source', type: 'text', isNullable: true, of: ({ feed }) => feed?.source ?? null },
  { name: 'replayed_by', type: 'text', isNullable: true, of: ({ replayedBy }) => replayedBy ?? null },
];

/** The taxes of a charge as `tax_terms` has them; null without any. */
export function taxTerms(taxes: Charge['terms']['taxes']): string | null {
  if (taxes.length === 0) return null;
  return JSON.stringify(
    taxes.map(({ id, rate, flat, currency, currencyRate }) => ({
      id,
      rate: plain(rate),
      flat: plain(flat),
      ...(currency === null || currencyRate === null ? {} : { currency, currency_rate: plain(currencyRate) }),
    })),
  );
}

const columns: readonly Column[] = [
  ...cdrFields.map(
    (name): Column => ({ name, of: ({ cdr }) => cdr[name], ...storageOf(name), ...STORED_DIFFERENTLY[name] }),
  ),
  ...CHARGE_COLUMNS,
];

/** The columns that hold the parameters of a call, each with the type that it must have. */
export const parameterColumns = cdrFields.map((name) => ({ name, type: storageOf(name).column }));

/**
 * Calls as they are sent to the database, in UTF-8: one line each, values separated by tabs. Nothing is escaped, because no
 * text of a call holds a control character (domain/text.ts). JSON would cost PostgreSQL about twice as much to read.
 */
export function linesOf(calls: readonly { call: Call; charge: Charge }[]): Buffer {
  const lines = new Lines(calls.length);
  for (const { call, charge } of calls) {
    for (const column of columns) lines.add(column.of(call, charge));
    lines.endLine();
  }
  return lines.all();
}

function typed({ name, type, isNullable, write }: Column, index: number): string {
  const text = isNullable ? `nullif(value[${index + 1}], '')` : `value[${index + 1}]`;
  const value = `${text}::${type}`;
  return `${write?.(value) ?? value} as "${name}"`;
}

/**
 * `select …`: the calls in the lines of `$1`. A line with another number of values would have them in the wrong columns. It ends
 * the statement with 22P02, as a value of the wrong type does: an expression in SQL cannot fail otherwise.
 */
export const callsInLines = `
  select ${columns.map(typed).join(', ')}
  from (
    -- Without the offset PostgreSQL would split the line again for every column. What is appended makes it keep the places of
    -- all values, instead of walking to each from the first.
    select array_append(string_to_array(line, E'\\t'), '') as value from unnest(string_to_array($1, E'\\n')) as line offset 0
  ) as line
  where case cardinality(value) - 1 when ${columns.length} then true
    else ('expected ${columns.length} values in a line, got ' || cardinality(value) - 1)::boolean end`;

/** For `insert into cdrs (…)`, and to be selected from `callsInLines`. */
export const callColumns = columns.map(({ name }) => `"${name}"`).join(', ');

function asSubmitted(name: CdrField): string {
  const read = STORED_DIFFERENTLY[name]?.read ?? storageOf(name).read;
  return `${read?.(`"${name}"`) ?? `"${name}"`} as "${name}"`;
}

const STORED_CALLS = statement(
  'persist.stored-calls',
  `
  select (select row_to_json(call) from (select ${cdrFields.map(asSubmitted).join(', ')}) as call)::text as call, source
  from cdrs where uniqueid = any(array(select json_array_elements_text($1::json)))`,
);

const decimals = cdrFields.filter(isDecimal);

/** Stored calls by uniqueid as they were submitted, to be compared with others. */
export async function readStoredCalls(
  sql: Sql,
  uniqueids: readonly string[],
): Promise<Map<string, CallOnRecord>> {
  const rows = await sql<{ call: string; source: string | null }>(STORED_CALLS, [JSON.stringify(uniqueids)]);
  return new Map(
    rows.map(({ call, source }) => {
      const cdr = JSON.parse(call) as Cdr;
      const exact = decimals.map((name) => [name, canonical(String(cdr[name]))]);
      return [cdr.uniqueid, { cdr: { ...cdr, ...Object.fromEntries(exact) }, source }];
    }),
  );
}
