import { shown } from '../domain/text.ts';
import { betweenOf, type Compiled, firstOf, joined, type Problem, sumOf } from './combine.ts';
import { type DurationForm, durationReader } from './durations.ts';
import { Failure } from './failure.ts';
import { fieldReader, type NativeRecord, type Path } from './native.ts';
import { textSteps, timeReader } from './operators.ts';
import { hasOffset, patternProblem } from './patterns.ts';
import { type OperatorsSpec, TIME_FORMS, type ValueSpec } from './schema.ts';
import { type Zone, zoneNamed } from './zones.ts';

/** What compiling needs to know around a value. */
export interface Context {
  /** Columns that records have; null for JSON and form, which may have any. */
  columns: ReadonlySet<string> | null;
  isJson: boolean;
  /** The value identifies something: it is read as it is written, and what is damaged is refused. */
  isIdentity: boolean;
  /** The value tells calls apart: no two records may get the same one by what is done to it. */
  isUniqueid: boolean;
  /** Every path that is read, in no order. */
  paths: Path[];
  problems: Problem[];
}

type At = Problem['at'];

export const SOURCES = ['from', 'first', 'join', 'sum', 'between', 'constant'] as const;
const STEPS = ['none', 'decode', 'sip', 'number', 'table', 'decimal'] as const;
/** Keys that mean nothing without another one. */
const NEEDS: readonly (readonly [keyof OperatorsSpec, keyof OperatorsSpec])[] = [
  ['by', 'join'],
  ['else', 'table'],
  ['zone', 'time'],
];
const BY = '/';

/** A path alone is short for `from`. */
export function operatorsOf(spec: ValueSpec): OperatorsSpec {
  return typeof spec === 'string' || Array.isArray(spec) ? { from: spec } : spec;
}

/** Compiles a value; what is wrong with it is added to the context's problems, and the result then is of no use. */
export function compile(value: ValueSpec, at: At, context: Context): Compiled {
  const spec = operatorsOf(value);
  checkKeys(spec, at, context);
  const source = compileSource(spec, at, context);
  const label = labelOf(spec);
  const steps = textSteps(spec, label);
  const { time, duration } = spec;
  if (source.kind !== 'text') {
    if (steps.length > 0 || time !== undefined || duration !== undefined)
      context.problems.push({ at, message: `expected nothing more to be done to a ${source.kind}` });
    return source;
  }
  if (steps.length === 0 && time === undefined && duration === undefined) return source;
  const read = through(source.read, steps);
  if (time !== undefined) return compileTime({ ...spec, time }, read, at, context);
  return duration === undefined ? { kind: 'text', read } : durationOf(duration, read, label);
}

function checkKeys(spec: OperatorsSpec, at: At, { problems, isUniqueid }: Context): void {
  const sources = SOURCES.filter((key) => spec[key] !== undefined);
  if (sources.length !== 1)
    problems.push({
      at,
      message: `expected one of ${SOURCES.join(', ')}, got ${sources.join(' and ') || 'none'}`,
    });
  for (const [key, needed] of NEEDS)
    if (spec[key] !== undefined && spec[needed] === undefined)
      problems.push({ at: [...at, key], message: `expected ${needed} beside ${key}` });
  if (spec.time !== undefined && spec.duration !== undefined)
    problems.push({ at: [...at, 'duration'], message: 'expected time or duration, got both' });
  if (!isUniqueid) return;
  const merging = [...STEPS, 'first', 'sum', 'between', 'time', 'duration'] as const;
  const found = merging.find((key) => spec[key] !== undefined);
  if (found !== undefined)
    problems.push({
      at: [...at, found],
      message: `expected only from, join and constant, got ${found}, which could make two calls one`,
    });
}

function compileSource(spec: OperatorsSpec, at: At, context: Context): Compiled {
  const { from, first, join, sum, between, constant } = spec;
  if (from !== undefined)
    return { kind: 'text', read: fieldReader(pathOf(from, [...at, 'from'], context), context.isIdentity) };
  if (first !== undefined)
    return firstOf(parts(first, [...at, 'first'], context), [...at, 'first'], context.problems);
  if (join !== undefined)
    return joined(parts(join, [...at, 'join'], context), spec.by ?? BY, [...at, 'join'], context.problems);
  if (sum !== undefined) return sumOf(parts(sum, [...at, 'sum'], context), [...at, 'sum'], context.problems);
  if (between !== undefined)
    return betweenOf(parts(between, [...at, 'between'], context), [...at, 'between'], context.problems);
  return { kind: 'text', isFixed: true, read: () => constant ?? '' };
}

/** Values inside of values; what belongs to a parameter as a whole has no place in them. */
function parts(values: readonly unknown[], at: At, context: Context): Compiled[] {
  return values.map((each, index) => {
    const spec = operatorsOf(each as ValueSpec);
    for (const key of ['lookup', 'optional', 'round'] as const)
      if (spec[key] !== undefined)
        context.problems.push({
          at: [...at, index, key],
          message: `expected ${key} beside the parameter's own keys`,
        });
    return compile(spec, [...at, index], context);
  });
}

/** The names from a record to a value, for a format. */
export function pathOf(
  given: string | readonly string[],
  at: At,
  { isJson, columns, paths, problems }: Context,
): Path {
  const path = typeof given !== 'string' ? given : isJson ? given.split('.') : [given];
  paths.push(path);
  const column = path.join('.');
  if (columns !== null && !columns.has(column))
    problems.push({ at, message: `expected one of the columns, got ${shown(column)}` });
  else if (!isJson && path.length > 1)
    problems.push({ at, message: 'expected the name of one field, got a path' });
  else if (path.includes(''))
    problems.push({ at, message: `expected names separated by dots, got ${shown(column)}` });
  return path;
}

function compileTime(
  spec: OperatorsSpec & { time: string },
  read: (record: NativeRecord) => string | Failure,
  at: At,
  { problems }: Context,
): Compiled {
  const { time, zone } = spec;
  const isPattern = !(TIME_FORMS as readonly string[]).includes(time);
  const wrong = isPattern ? patternProblem(time) : undefined;
  if (wrong !== undefined) problems.push({ at: [...at, 'time'], message: wrong });
  const place: Zone | undefined = zone === undefined ? undefined : zoneNamed(zone);
  if (zone !== undefined && place === undefined)
    problems.push({
      at: [...at, 'zone'],
      message: `expected a zone such as Europe/Amsterdam or +02:00, got ${shown(zone)}`,
    });
  const isLocal = time === 'ctime' || (isPattern && !hasOffset(time));
  if (isLocal && zone === undefined)
    problems.push({ at: [...at, 'time'], message: 'expected a zone beside a time without an offset' });
  const parse = timeReader(time, place);
  const label = labelOf(spec);
  return {
    kind: 'time',
    read: (record) => {
      const text = read(record);
      if (text instanceof Failure) return text;
      const instant = parse(text);
      return typeof instant === 'string' ? new Failure('wrong', `${label}: ${instant}`) : instant;
    },
  };
}

function durationOf(
  form: DurationForm,
  read: (record: NativeRecord) => string | Failure,
  label: string,
): Compiled {
  const parse = durationReader(form);
  return {
    kind: 'duration',
    read: (record) => {
      const text = read(record);
      if (text instanceof Failure) return text;
      const ns = parse(text);
      return typeof ns === 'string' ? new Failure('wrong', `${label}: ${ns}`) : ns;
    },
  };
}

function through(
  read: (record: NativeRecord) => string | Failure,
  steps: ReturnType<typeof textSteps>,
): (record: NativeRecord) => string | Failure {
  return (record) => {
    let value = read(record);
    for (const step of steps) {
      if (value instanceof Failure) return value;
      value = step(value);
    }
    return value;
  };
}

/** How messages name what a value was made of. */
export function labelOf({ from }: OperatorsSpec): string {
  return from === undefined ? 'the value' : `field ${typeof from === 'string' ? from : from.join('.')}`;
}
