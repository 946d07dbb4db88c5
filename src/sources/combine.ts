import { Failure } from './failure.ts';
import type { NativeRecord } from './native.ts';
import { resolvePair } from './stamps.ts';
import type { Instant } from './times.ts';

/** What a value of the file became: a function from record to text, time or duration (nanoseconds). */
export type Compiled =
  /** `isFixed`: the same text for every record. */
  | { kind: 'text'; isFixed?: true; read: (record: NativeRecord) => string | Failure }
  | { kind: 'time'; read: (record: NativeRecord) => Instant | Failure }
  | { kind: 'duration'; read: (record: NativeRecord) => bigint | Failure };

/** Something wrong in the file: where, as keys from its root, and what. */
export interface Problem {
  at: readonly (string | number)[];
  message: string;
  /** It is about the last key itself, not about what stands behind it. */
  isKey?: true;
}

/** The first that is there; what is there and cannot be read is not passed over. */
export function firstOf(choices: readonly Compiled[], at: Problem['at'], problems: Problem[]): Compiled {
  const kinds = new Set(choices.map(({ kind }) => kind));
  if (kinds.size > 1)
    problems.push({ at, message: `expected values of one kind, got ${[...kinds].join(' and ')}` });
  const readers = choices.map(({ read }) => read as (record: NativeRecord) => string | Failure);
  const read = (record: NativeRecord): string | Failure => {
    const reasons: string[] = [];
    for (const choice of readers) {
      const value = choice(record);
      if (!(value instanceof Failure) || value.kind === 'wrong') return value;
      reasons.push(value.message);
    }
    return new Failure('missing', reasons.join('; '));
  };
  // All are of the kind of the first, and a failure is one of every kind.
  return { kind: choices[0]?.kind ?? 'text', read } as Compiled;
}

/**
 * Parts with a separator between them, so that other parts never give the same text: a separator within a part is
 * written as its percent escape, and such an escape is escaped itself. Texts with neither stay as they are, and so do
 * constants, which are the same in every record.
 */
export function joined(
  given: readonly Compiled[],
  by: string,
  at: Problem['at'],
  problems: Problem[],
): Compiled {
  const texts = given.flatMap((part) => (part.kind === 'text' ? [part] : []));
  if (texts.length < given.length) problems.push({ at, message: 'expected texts' });
  const sign = `%${by.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  const escaped = (text: string) =>
    text
      .replaceAll('%25', '%2525')
      .replaceAll(sign, `%25${sign.slice(1)}`)
      .replaceAll(by, sign);
  const read = (record: NativeRecord): string | Failure => {
    let text = '';
    for (const [index, { read: readPart, isFixed }] of texts.entries()) {
      const value = readPart(record);
      if (value instanceof Failure) return value;
      const isPlain = isFixed || !(value.includes(by) || value.includes('%'));
      text += (index === 0 ? '' : by) + (isPlain ? value : escaped(value));
    }
    return text;
  };
  return { kind: 'text', read };
}

/** Of a file that is refused. */
const NO_TIME = new Failure('wrong', 'no time');

/** A time moved by durations, in all its readings. */
export function sumOf(
  [time, ...others]: readonly Compiled[],
  at: Problem['at'],
  problems: Problem[],
): Compiled {
  const durations = others.flatMap((each) => (each.kind === 'duration' ? [each] : []));
  if (time?.kind !== 'time' || durations.length < others.length) {
    problems.push({ at, message: 'expected a time and then durations' });
    return { kind: 'time', read: () => NO_TIME };
  }
  const read = (record: NativeRecord): Instant | Failure => {
    const start = time.read(record);
    if (start instanceof Failure) return start;
    let sum = 0n;
    for (const duration of durations) {
      const ns = duration.read(record);
      if (ns instanceof Failure) return ns;
      sum += ns;
    }
    return { at: start.at + sum, later: start.later === null ? null : start.later + sum };
  };
  return { kind: 'time', read };
}

/** The duration from one time to another. */
export function betweenOf([from, to]: readonly Compiled[], at: Problem['at'], problems: Problem[]): Compiled {
  if (from?.kind !== 'time' || to?.kind !== 'time') {
    problems.push({ at, message: 'expected two times' });
    return { kind: 'duration', read: () => NO_TIME };
  }
  const read = (record: NativeRecord): bigint | Failure => {
    const start = from.read(record);
    if (start instanceof Failure) return start;
    const end = to.read(record);
    if (end instanceof Failure) return end;
    const pair = resolvePair(start, end, null);
    return pair.end - pair.start;
  };
  return { kind: 'duration', read };
}
