import type { Fields } from '../domain/body.ts';
import type { ParameterName } from '../domain/contract.ts';
import type { Lookup } from '../domain/lookup.ts';
import type { RecordEdits } from '../domain/record-replay.ts';
import type { ParameterError } from '../domain/validate.ts';
import { type Rounding, wholeSeconds } from './durations.ts';
import { Failure } from './failure.ts';
import type { Feed } from './feed.ts';
import type { NativeRecord } from './native.ts';
import { PEERS } from './parameter.ts';
import { sequenceIn } from './sequence.ts';
import { resolvePair } from './stamps.ts';
import type { Instant } from './times.ts';

/** What a native record becomes. */
export type Mapped =
  | MappedCall
  /** Left out by value, to be counted and acknowledged. */
  | (Numbered & { kind: 'skip'; field: string; value: string })
  /** Each error with the parameter that cannot be had, '' for the record as a whole; `fields` could be had. */
  | (Numbered & { kind: 'unmapped'; errors: ParameterError[]; fields: Fields });

interface Numbered {
  /** By the feed's own counter; null where there is none, or its number cannot be read. */
  sequence: bigint | null;
}

export interface MappedCall extends Numbered {
  kind: 'call';
  /** Parameters of the contract, still to be validated; those of lookups are not among them. */
  fields: Fields;
  /** What the store has to find before the call is complete. */
  lookups: Lookup[];
  /** A time lies in the hour that occurs twice and nothing said which of both it is: the first was taken. */
  isTimeGuessed: boolean;
}

const SECOND_NS = 1_000_000_000n;

const NONE: RecordEdits = {};

/**
 * Maps one native record. Pure, and never throws: every text gives a result, and the same text the same one.
 *
 * @param edits parameters that an operator has corrected: what the map says of them does not count
 */
export function mapRecord(feed: Feed, text: string, edits: RecordEdits = NONE): Mapped {
  const record = feed.read(text);
  if (record instanceof Failure)
    return { kind: 'unmapped', errors: [{ key: '', message: record.message }], fields: {}, sequence: null };
  const sequence = sequenceIn(feed.sequence, record);
  const errors: ParameterError[] = [];
  for (const { field, values, read } of feed.skip) {
    const value = read(record);
    // A field that is missing is never a reason to skip.
    if (value instanceof Failure) errors.push({ key: '', message: `skip: ${value.message}` });
    else if (values.has(value)) return { kind: 'skip', field, value, sequence };
  }
  const mapped = mapParameters(feed, record, edits, sequence, errors);
  return errors.length > 0 ? { kind: 'unmapped', errors, fields: mapped.fields, sequence } : mapped;
}

interface Stamp {
  instant: Instant;
  rounding: Rounding;
}

function mapParameters(
  feed: Feed,
  record: NativeRecord,
  edits: RecordEdits,
  sequence: bigint | null,
  errors: ParameterError[],
): MappedCall {
  const fields: Record<string, string | number> = { ...edits };
  const stamps: Partial<Record<ParameterName, Stamp>> = {};
  const wanted: { parameter: ParameterName; kind: string; key: string }[] = [];
  for (const { name, read, isOptional, rounding, lookup } of feed.parameters) {
    if (edits[name] !== undefined) continue;
    const value = read(record);
    if (value instanceof Failure) {
      if (!isOptional || value.kind === 'wrong') errors.push({ key: name, message: value.message });
    } else if (typeof value === 'object') stamps[name] = { instant: value, rounding };
    else if (lookup === null) fields[name] = value;
    else wanted.push({ parameter: name, kind: lookup, key: String(value) });
  }
  const isTimeGuessed = setTimes(stamps, fields);
  const lookups = wanted.map(({ parameter, kind, key }): Lookup => {
    if (kind === PEERS) return { parameter: 'peer', name: key };
    const customer = parameter === 'dcustomer' ? 'dcustomer' : 'scustomer';
    return { parameter: customer, kind, key, at: Number(fields.start) };
  });
  return { kind: 'call', fields, lookups, isTimeGuessed, sequence };
}

/** Puts start and end into the fields, in whole seconds. Returns whether one of them is a guess. */
function setTimes(
  { start, end }: Partial<Record<ParameterName, Stamp>>,
  fields: Record<string, string | number>,
): boolean {
  if (start === undefined || end === undefined) {
    if (start !== undefined) fields.start = secondsOf(start.instant.at, start.rounding);
    if (end !== undefined) fields.end = secondsOf(end.instant.at, end.rounding);
    return (start ?? end)?.instant.later != null;
  }
  const pair = resolvePair(start.instant, end.instant, durationIn(fields));
  fields.start = secondsOf(pair.start, start.rounding);
  fields.end = secondsOf(pair.end, end.rounding);
  return pair.isGuess;
}

function secondsOf(ns: bigint, rounding: Rounding): number {
  return Number(wholeSeconds(ns, rounding));
}

/** What the feed says of the call's length, in nanoseconds; null where it says nothing. */
function durationIn({ totaltime, talktime }: Readonly<Record<string, string | number>>): bigint | null {
  const seconds = totaltime ?? talktime;
  return seconds !== undefined && /^\d{1,12}$/.test(String(seconds)) ? BigInt(seconds) * SECOND_NS : null;
}
