/** How often something is heard of at least: 90s, 15m, 2h, 1d. */
export const EVERY = /^[1-9][0-9]{0,4}[smhd]$/;
export const EVERY_EXPECTED = 'a time such as 90s, 15m, 2h or 1d';

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
/** The longest that PostgreSQL's integer holds: 68 years. */
const LONGEST = 2 ** 31 - 1;

/** Seconds of a text that EVERY matches. */
export function secondsOf(every: string): number {
  return Math.min(LONGEST, Number(every.slice(0, -1)) * (SECONDS[every.slice(-1)] ?? 1));
}

/** Seconds as the largest unit of which they are a whole number: 900 is 15m. */
export function everyText(seconds: number): string {
  const units = Object.entries(SECONDS).reverse();
  const [unit, length] = units.find(([, each]) => seconds % each === 0) ?? ['s', 1];
  return `${seconds / length}${unit}`;
}
