import { jsonText } from './domain/printable.ts';

/** Input of an operator that cannot be used. The message names the part and says what was expected. */
export class InvalidInput extends Error {}

/** Throws InvalidInput for text that PostgreSQL cannot store, and that no row can therefore match. */
export function expectStorable(name: string, text: string): void {
  if (!/\0|\p{Cs}/u.test(text)) return;
  throw new InvalidInput(`${name}: expected text without NUL or lone surrogates, got ${jsonText(text)}`);
}

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const ISO = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;

/** `2h` and `7d` mean that long before `now`; a date or time without a zone is UTC. Throws InvalidInput. */
export function readTime(name: string, text: string, now: Date): Date {
  const [, amount, unit] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  if (amount !== undefined && unit !== undefined)
    return new Date(now.getTime() - Number(amount) * UNITS[unit as keyof typeof UNITS]);
  const hasZone = /(Z|[+-]\d\d:\d\d)$/.test(text.slice(10)) || text.length === 10;
  const time = new Date(ISO.test(text) ? `${text}${hasZone ? '' : 'Z'}` : Number.NaN);
  if (!Number.isNaN(time.getTime())) return time;
  throw new InvalidInput(
    `${name}: expected 2h, 7d or an ISO 8601 time such as 2026-11-25T08:00:00Z, got ${JSON.stringify(text)}`,
  );
}

/** An optional whole number above 0. Throws InvalidInput, as the functions below do. */
export function readCount(name: string, text: string | null | undefined): number | undefined {
  if (!text) return undefined;
  const count = Number(text);
  if (/^\d{1,9}$/.test(text) && count > 0) return count;
  throw new InvalidInput(`${name}: expected a whole number above 0, got ${JSON.stringify(text)}`);
}

/** An optional rate in calls per second, such as `50/s`. */
export function readRate(name: string, text: string | null | undefined): number | undefined {
  if (!text) return undefined;
  const rate = Number(/^(\d{1,6}(?:\.\d{1,3})?)(?:\/s)?$/.exec(text)?.[1]);
  if (rate > 0) return rate;
  throw new InvalidInput(
    `${name}: expected calls per second above 0, such as 50/s, got ${JSON.stringify(text)}`,
  );
}

/** An optional percentage, such as `5%`. */
export function readPercent(name: string, text: string | null | undefined): number | undefined {
  if (!text) return undefined;
  const percent = Number(/^(\d{1,3}(?:\.\d{1,3})?)%?$/.exec(text)?.[1]);
  if (percent >= 0 && percent <= 100) return percent;
  throw new InvalidInput(`${name}: expected a percentage, such as 5%, got ${JSON.stringify(text)}`);
}
