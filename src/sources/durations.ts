import { unexpected } from './failure.ts';
import { nanoseconds } from './times.ts';

/** How a part of a second becomes a whole one. */
export const ROUNDINGS = ['down', 'up', 'half-up'] as const;
export type Rounding = (typeof ROUNDINGS)[number];

export const DURATIONS = ['s', 'ms', 'us', 'ns', 'hms', 'go'] as const;
export type DurationForm = (typeof DURATIONS)[number];

/** Reads a duration as nanoseconds; a string says what was expected and what came. */
export type DurationReader = (text: string) => bigint | string;

const SECOND_NS = 1_000_000_000n;
const HMS = /^(?:(\d{1,9}):)?([0-5]?\d):([0-5]\d(?:\.\d{1,30})?)$/;
const GO_PART = /(\d{1,12}(?:\.\d{1,30})?)(ns|us|µs|μs|ms|s|m|h)/y;
/** Seconds of the units that are longer than one. */
const LONG: Readonly<Record<string, bigint>> = { m: 60n, h: 3600n };

/** Durations as numbers of a unit, as hours:minutes:seconds, or as Go writes them (1m0s). */
export function durationReader(form: DurationForm): DurationReader {
  if (form === 'hms') return readHms;
  if (form === 'go') return readGo;
  return (text) => nanoseconds(text, form) ?? unexpected(`a duration in ${form}, in digits`, text);
}

function readHms(text: string): bigint | string {
  const [, hours = '0', minutes = '', seconds = ''] = HMS.exec(text) ?? [];
  const rest = nanoseconds(seconds, 's');
  if (rest === undefined) return unexpected('a duration such as 01:02:03', text);
  return (BigInt(hours) * 3600n + BigInt(minutes) * 60n) * SECOND_NS + rest;
}

function readGo(text: string): bigint | string {
  if (text === '0') return 0n;
  let sum = 0n;
  GO_PART.lastIndex = 0;
  do {
    const [, number = '', name = ''] = GO_PART.exec(text) ?? [];
    const part = goPart(number, name);
    if (part === undefined) return unexpected('a duration such as 1m0s', text);
    sum += part;
  } while (GO_PART.lastIndex < text.length);
  return sum;
}

function goPart(number: string, name: string): bigint | undefined {
  const long = LONG[name];
  if (long !== undefined) {
    const seconds = nanoseconds(number, 's');
    return seconds === undefined ? undefined : seconds * long;
  }
  const unit = name === 'ms' || name === 's' || name === 'ns' ? name : 'us';
  return nanoseconds(number, unit);
}

/**
 * Whole seconds.
 *
 *   wholeSeconds(59_790_000_000n, 'half-up') = 60n, 'down' = 59n, 'up' = 60n
 *
 * Undefined without a rounding where it is not whole.
 */
export function wholeSeconds(ns: bigint, rounding: Rounding | undefined): bigint | undefined {
  const down = ns / SECOND_NS - (ns % SECOND_NS < 0n ? 1n : 0n);
  const rest = ns - down * SECOND_NS;
  if (rest === 0n || rounding === 'down') return down;
  if (rounding === undefined) return undefined;
  return rounding === 'up' || rest * 2n >= SECOND_NS ? down + 1n : down;
}
