import { unexpected } from './failure.ts';
import type { Zone } from './zones.ts';

/**
 * A time as a feed gives it, in nanoseconds since 1970. `later` is the other reading of a local time in the hour that
 * occurs twice when daylight saving ends (stamps.ts chooses), else null.
 */
export interface Instant {
  at: bigint;
  later: bigint | null;
}

/** Reads a time; a string says what was expected and what came. */
export type TimeReader = (text: string) => Instant | string;

/** Digits after the decimal point of a second by unit. */
const UNITS = { s: 9, ms: 6, us: 3, ns: 0 } as const;
export type Unit = keyof typeof UNITS;
const UNIT_NAMES: Record<Unit, string> = {
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
};

/** Seconds from year 0, where the Gregorian seconds of Erlang (and so of Kazoo) begin, to 1970. */
const GREGORIAN_EPOCH_NS = 62_167_219_200n * 1_000_000_000n;
const NUMBER = /^(\d{1,20})(?:\.(\d{1,30}))?$/;
const MS_TO_NS = 1_000_000n;

/** A number of units as nanoseconds; what is finer is cut. Undefined for what is no plain number. */
export function nanoseconds(text: string, unit: Unit): bigint | undefined {
  const parts = NUMBER.exec(text);
  if (parts === null) return undefined;
  const places = UNITS[unit];
  const fraction = (parts[2] ?? '').slice(0, places).padEnd(places, '0');
  return BigInt(parts[1] + fraction);
}

/** Units since 1970. */
export function epochReader(unit: Unit): TimeReader {
  return (text) => {
    const at = nanoseconds(text, unit);
    return at === undefined
      ? unexpected(`${UNIT_NAMES[unit]} since 1970 in digits`, text)
      : { at, later: null };
  };
}

/** Gregorian seconds, as Erlang's calendar counts them. */
export function readGregorian(text: string): Instant | string {
  const since = nanoseconds(text, 's');
  if (since === undefined || since < GREGORIAN_EPOCH_NS)
    return unexpected('Gregorian seconds (62167219200 is 1970)', text);
  return { at: since - GREGORIAN_EPOCH_NS, later: null };
}

/** A date and a time of day as text has them; `fraction` are the digits after the second's point. */
export interface Civil {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  fraction: string;
}

/** A local time in a zone, or why there is none: a date that no calendar has, an hour that daylight saving leaves out. */
export function instantOf(civil: Civil, zone: Zone, text: string): Instant | string {
  const { year, month, day, hour, minute, second, fraction } = civil;
  if (year < 1970) return unexpected('a time since 1970', text);
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const isReal =
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  if (!isReal) return unexpected('a date and a time of day that exist', text);
  const [first, other] = zone.instantsOf(date.getTime());
  if (first === undefined) return unexpected(`a local time that exists in ${zone.name}`, text);
  const rest = BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  return {
    at: BigInt(first) * MS_TO_NS + rest,
    later: other === undefined ? null : BigInt(other) * MS_TO_NS + rest,
  };
}
