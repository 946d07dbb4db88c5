/** The rules by which local times of a place become instants. */
export interface Zone {
  name: string;
  /**
   * The instants at which clocks there show a local time: one; two, the earlier first, in the hour that occurs twice;
   * none in the hour that is left out. Milliseconds since 1970; the local time is given as if it were UTC.
   */
  instantsOf(localMs: number): readonly number[];
}

const OFFSET = /^([+-])(\d\d)(?::?([0-5]\d))?$/;
const DAY_MS = 86_400_000;
/** Offsets change at full quarters of an hour of UTC. */
const QUARTER_MS = 900_000;
/** Quarters of an hour that are remembered for a zone: calls of one feed are seldom more than days apart. */
const REMEMBERED = 1000;

/** An IANA zone such as Europe/Amsterdam, UTC, or an offset such as +02:00; undefined for anything else. */
export function zoneNamed(name: string): Zone | undefined {
  const offset = offsetMs(name);
  if (offset !== undefined) return { name, instantsOf: (localMs) => [localMs - offset] };
  // Newer engines take more spellings of offsets as names; those above are all that are documented.
  if (!/^[A-Z][\w+-]*(?:\/[\w+-]+)*$/i.test(name)) return undefined;
  try {
    return namedZone(name);
  } catch {
    return undefined;
  }
}

/** What an offset such as +0200, +02 or Z adds to UTC, in milliseconds. */
export function offsetMs(text: string): number | undefined {
  if (text === 'Z' || text === 'z' || text === 'UTC') return 0;
  const [, sign, hours = '', minutes = '0'] = OFFSET.exec(text) ?? [];
  if (sign === undefined || Number(hours) > 15) return undefined;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

function namedZone(name: string): Zone {
  const clock = new Intl.DateTimeFormat('en-US', {
    timeZone: name,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  // Asking the engine costs some microseconds, and the calls of a feed come from the same few quarters of an hour.
  const known = new Map<number, number>();
  const offsetAt = (instantMs: number): number => {
    const quarter = Math.floor(instantMs / QUARTER_MS);
    const remembered = known.get(quarter);
    if (remembered !== undefined) return remembered;
    const offset = shownAt(clock, quarter * QUARTER_MS) - quarter * QUARTER_MS;
    if (known.size >= REMEMBERED) known.clear();
    known.set(quarter, offset);
    return offset;
  };
  return {
    name,
    instantsOf: (localMs) => {
      // No zone changes twice within two days, so one of these offsets is the one in force.
      const before = offsetAt(localMs - DAY_MS);
      const after = offsetAt(localMs + DAY_MS);
      const offsets = before === after ? [before] : [before, after];
      return offsets
        .map((offset) => localMs - offset)
        .filter((instantMs) => offsetAt(instantMs) === localMs - instantMs)
        .sort((a, b) => a - b);
    },
  };
}

/** What clocks of a zone show at an instant, as if it were UTC. */
function shownAt(clock: Intl.DateTimeFormat, instantMs: number): number {
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of clock.formatToParts(instantMs)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
