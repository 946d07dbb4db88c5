import type { ParameterName } from '../domain/contract.ts';
import { secondsOf } from '../domain/every.ts';
import { isTakenExchange } from '../domain/own-exchanges.ts';
import { shown } from '../domain/text.ts';
import type { Problem } from './combine.ts';
import { type Context, operatorsOf, pathOf } from './compile.ts';
import { Failure } from './failure.ts';
import { readFlatJson, WantedNames } from './flat-json.ts';
import { readJson } from './json.ts';
import { type FieldReader, fieldReader, type NativeRecord, type Path } from './native.ts';
import { compileParameter, type MappedParameter } from './parameter.ts';
import { type Positions, readCsv, readForm, readPositional } from './rows.ts';
import { type FeedSpec, mappedNames, type ValueSpec } from './schema.ts';
import type { SequenceField } from './sequence.ts';

/** A feed, ready to map records. */
export interface Feed {
  name: string;
  spec: FeedSpec;
  read: (text: string) => NativeRecord | Failure;
  skip: readonly SkipRule[];
  /** The machines that it may name. */
  machines: ReadonlySet<string>;
  parameters: readonly MappedParameter[];
  /** Null where no field counts the records. */
  sequence: SequenceField | null;
  /** How often it is heard of at least; null where nobody says. */
  everySeconds: number | null;
}

/** Records that have one of the values in a field are left out. */
export interface SkipRule {
  field: string;
  values: ReadonlySet<string>;
  read: FieldReader;
}

/** Compiles one feed of the file; what zod's schema cannot say of it is checked on the way. */
export function compileFeed(name: string, spec: FeedSpec, problems: Problem[]): Feed {
  const context: Context = {
    columns: columnsOf(spec),
    isJson: spec.format === 'json',
    isIdentity: false,
    isUniqueid: false,
    paths: [],
    problems,
  };
  checkExchange(name, spec, problems);
  if (spec.format === 'csv') checkColumns(name, spec, problems);
  const skip = Object.entries(spec.skip ?? {}).map(([field, values]) => {
    const read = fieldReader(pathOf(field, [name, 'skip', field], context), false);
    return { field, values: new Set(values), read };
  });
  const sequence = sequenceFieldOf(spec, [name, 'sequence'], context);
  const parameters = mappedNames.flatMap((parameter) => {
    const value = spec.call[parameter] as ValueSpec | undefined;
    return value === undefined
      ? []
      : [compileParameter(parameter, value, [name, 'call', parameter], context)];
  });
  checkMachine(name, spec, problems);
  const everySeconds = spec.every === undefined ? null : secondsOf(spec.every);
  const machines = new Set(spec.machines);
  const read = readerOf(spec, [name], context);
  return { name, spec, read, skip, machines, parameters, sequence, everySeconds };
}

function sequenceFieldOf({ sequence }: FeedSpec, at: Problem['at'], context: Context): SequenceField | null {
  if (sequence === undefined) return null;
  const path = pathOf(sequence, at, context);
  return { field: path.join('.'), read: fieldReader(path, false) };
}

function columnsOf(spec: FeedSpec): ReadonlySet<string> | null {
  if (spec.format === 'csv') return new Set(spec.columns);
  return spec.format === 'positional' ? new Set(Object.keys(spec.fields)) : null;
}

function readerOf(spec: FeedSpec, at: Problem['at'], context: Context): Feed['read'] {
  switch (spec.format) {
    case 'json': {
      if (spec.root === undefined) return recordReader(context.paths);
      const path = pathOf(spec.root, [...at, 'root'], context);
      return (text) => inRoot(readJson(text), path);
    }
    case 'form':
      return readForm;
    case 'csv':
      return (text) => readCsv(text, spec);
    case 'positional': {
      const fields = positions(spec.fields, [...at, 'fields'], context.problems);
      return (text) => readPositional(text, fields);
    }
  }
}

/** Reads no more of a flat record than the paths need. */
function recordReader(paths: readonly Path[]): Feed['read'] {
  if (paths.some(({ length }) => length > 1)) return readJson;
  const wanted = new WantedNames(paths.flat());
  return (text) => readFlatJson(text, wanted) ?? readJson(text);
}

function inRoot(record: NativeRecord | Failure, path: readonly string[]): NativeRecord | Failure {
  let value = record;
  for (const name of path) {
    if (value instanceof Failure) return value;
    const has = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
    value = has ? (value as Record<string, unknown>)[name] : undefined;
  }
  const isObject = typeof value === 'object' && value !== null;
  return isObject ? value : new Failure('wrong', `the record has no object ${path.join('.')}`);
}

function positions(
  fields: Readonly<Record<string, string>>,
  at: Problem['at'],
  problems: Problem[],
): Positions {
  const entries = Object.entries(fields).map(([name, text]) => {
    const [from = 1, to = from] = text.split('-').map(Number);
    if (to < from)
      problems.push({
        at: [...at, name],
        message: `expected the last character after the first, got ${shown(text)}`,
      });
    return [name, { from, length: to - from + 1 }] as const;
  });
  return Object.fromEntries(entries);
}

function checkExchange(name: string, { exchange, type, keys }: FeedSpec, problems: Problem[]): void {
  if (isTakenExchange(exchange))
    problems.push({
      at: [name, 'exchange'],
      message: `expected an exchange of the feed's own, got ${shown(exchange)}`,
    });
  if (type === 'direct' && keys === undefined)
    problems.push({
      at: [name, 'type'],
      message: 'expected keys beside a direct exchange, which drops all others',
    });
  if (type !== 'direct' && keys !== undefined)
    problems.push({
      at: [name, 'keys'],
      message: `expected keys only beside a direct exchange, got a ${type} one`,
    });
}

function checkColumns(
  name: string,
  { columns, separator, quote }: FeedSpec & { format: 'csv' },
  problems: Problem[],
): void {
  const twice = columns.find((column, index) => columns.indexOf(column) !== index);
  if (twice !== undefined)
    problems.push({ at: [name, 'columns'], message: `expected each column once, got ${shown(twice)} twice` });
  if (separator === quote)
    problems.push({
      at: [name, 'separator'],
      message: `expected another character than the quote, got ${shown(separator)}`,
    });
}

/** A machine that is the same for all records must be one that the feed may name. */
function checkMachine(name: string, { call, machines }: FeedSpec, problems: Problem[]): void {
  const value: ParameterName = 'machine';
  const { constant } = operatorsOf(call[value] as ValueSpec);
  if (constant !== undefined && !machines.includes(constant))
    problems.push({
      at: [name, 'call', 'machine'],
      message: `expected one of machines, got ${shown(constant)}`,
    });
}
