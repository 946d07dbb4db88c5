import { type ParameterName, parameterRow, parameters } from '../domain/contract.ts';
import { shown } from '../domain/text.ts';
import type { Compiled, Problem } from './combine.ts';
import { type Context, compile, labelOf, operatorsOf } from './compile.ts';
import { type Rounding, wholeSeconds } from './durations.ts';
import { Failure } from './failure.ts';
import type { NativeRecord } from './native.ts';
import type { OperatorsSpec, ValueSpec } from './schema.ts';
import type { Instant } from './times.ts';

/** The kind of lookup that names a peer; any other word is a kind of `customer_keys`. */
export const PEERS = 'peers';

/** One parameter of the call and where it comes from. */
export interface MappedParameter {
  name: ParameterName;
  isOptional: boolean;
  rounding: Rounding;
  /** The kind of key that the text is; null where it is the value. */
  lookup: string | null;
  /** Text or, for durations, whole seconds; times are read with both their readings. */
  read: (record: NativeRecord) => string | number | Instant | Failure;
}

const TIMES: ReadonlySet<ParameterName> = new Set<ParameterName>(['start', 'end']);
const DURATIONS: ReadonlySet<ParameterName> = new Set<ParameterName>(['talktime', 'time', 'totaltime']);
const IDENTITIES: ReadonlySet<ParameterName> = new Set<ParameterName>(['uniqueid', 'machine']);
const CUSTOMERS: ReadonlySet<ParameterName> = new Set<ParameterName>(['scustomer', 'dcustomer']);
/** What tells calls apart, says when they were, who pays and what: never left to a default (interface, section 10). */
const NEVER_OPTIONAL: ReadonlySet<ParameterName> = new Set<ParameterName>([
  'uniqueid',
  'machine',
  'start',
  'end',
  'scustomer',
  'cost',
  'currency',
  'invoice',
  'messages',
  'status',
  'talktime',
  'taxes',
  'time',
  'totaltime',
  'update_balance',
  'update_invoices',
]);

/** Compiles a parameter and checks that what comes out is what it takes. */
export function compileParameter(
  name: ParameterName,
  value: ValueSpec,
  at: Problem['at'],
  context: Context,
): MappedParameter {
  const spec = operatorsOf(value);
  const { problems } = context;
  const isUniqueid = name === 'uniqueid';
  const compiled = compile(value, at, { ...context, isIdentity: IDENTITIES.has(name), isUniqueid });
  checkKind(name, compiled, at, problems);
  checkRounding(spec, compiled, at, problems);
  checkLookup(name, spec, compiled, at, problems);
  if (spec.optional !== undefined && NEVER_OPTIONAL.has(name))
    problems.push({ at: [...at, 'optional'], message: `${name} must never be left to its default` });
  if (compiled.kind === 'text' && spec.lookup === undefined) checkConstants(name, spec, at, problems);
  return {
    name,
    isOptional: spec.optional !== undefined,
    rounding: spec.round ?? 'down',
    lookup: spec.lookup ?? null,
    read: compiled.kind === 'duration' ? inSeconds(compiled, spec) : compiled.read,
  };
}

function checkKind(name: ParameterName, { kind }: Compiled, at: Problem['at'], problems: Problem[]): void {
  if (TIMES.has(name) !== (kind === 'time'))
    problems.push({
      at,
      message: TIMES.has(name) ? `expected a time (time: s, iso …), got a ${kind}` : 'expected no time',
    });
  if (kind === 'duration' && !DURATIONS.has(name))
    problems.push({ at, message: `expected a duration only for ${[...DURATIONS].join(', ')}` });
}

function checkRounding(
  spec: OperatorsSpec,
  { kind }: Compiled,
  at: Problem['at'],
  problems: Problem[],
): void {
  if (spec.round !== undefined && kind === 'text')
    problems.push({ at: [...at, 'round'], message: 'expected round beside a time or a duration' });
}

function checkLookup(
  name: ParameterName,
  { lookup }: OperatorsSpec,
  { kind }: Compiled,
  at: Problem['at'],
  problems: Problem[],
): void {
  if (lookup === undefined) return;
  const isRight =
    kind === 'text' && (name === 'peer' ? lookup === PEERS : CUSTOMERS.has(name) && lookup !== PEERS);
  if (isRight) return;
  const message = `expected lookup: ${PEERS} for peer, or a kind of key for scustomer and dcustomer, got ${shown(lookup)}`;
  problems.push({ at: [...at, 'lookup'], message });
}

/** What the file itself writes into a parameter must be what the contract takes. */
function checkConstants(
  name: ParameterName,
  spec: OperatorsSpec,
  at: Problem['at'],
  problems: Problem[],
): void {
  if (spec.decimal !== undefined) return;
  const check = (text: string | undefined, key: string | number, ...rest: string[]): void => {
    if (text === undefined || parameters.shape[name].safeParse(text).success) return;
    problems.push({
      at: [...at, key, ...rest],
      message: `expected ${parameterRow(name)?.expected}, got ${shown(text)}`,
    });
  };
  for (const [key, text] of Object.entries(spec.table ?? {})) check(text, 'table', key);
  check(spec.else, 'else');
  if (spec.table !== undefined) return;
  const isChanged = spec.decode !== undefined || spec.sip !== undefined || spec.number !== undefined;
  if (!isChanged) check(spec.constant, 'constant');
  for (const [index, choice] of (isChanged ? [] : (spec.first ?? [])).entries())
    checkConstants(name, operatorsOf(choice as ValueSpec), [...at, 'first', index], problems);
}

function inSeconds(
  { read }: Compiled & { kind: 'duration' },
  spec: OperatorsSpec,
): (record: NativeRecord) => number | Failure {
  const label = labelOf(spec);
  return (record) => {
    const ns = read(record);
    if (ns instanceof Failure) return ns;
    const seconds = wholeSeconds(ns, spec.round);
    if (seconds !== undefined) return Number(seconds);
    const message = `expected whole seconds or a rounding in the sources file, got ${fractional(ns)}`;
    return new Failure('wrong', `${label}: ${message}`);
  };
}

/** Nanoseconds as seconds for people: 59.79. */
function fractional(ns: bigint): string {
  const digits = ns.toString().replace('-', '').padStart(10, '0');
  return `${ns < 0n ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9).replace(/0+$/, '')}`;
}
