import type { DeadReason } from '../domain/outcome.ts';
import { deadReasons } from '../domain/outcome.ts';
import { jsonText } from '../domain/printable.ts';
import { type DeadLetterStatus, deadLetterStatuses, isReason, isStatus } from '../domain/record.ts';
import type { DeadLetterFilter } from '../store/dead-letters/list.ts';

/** A selection as it is written on a command line or in a URL; every part is text. */
export interface SelectionText {
  ids?: readonly string[] | undefined;
  reason?: string | undefined;
  status?: string | undefined;
  code?: string | undefined;
  key?: string | undefined;
  customer?: string | undefined;
  machine?: string | undefined;
  uniqueid?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
}

/** A selection that nobody can mean: which part, and what was expected of it. */
export class SelectionError extends Error {}

const CODES = ['400', '401', '402'];
const INTEGER_MAX = 2_147_483_647;

/** Reads a selection. Empty parts count as left out. Throws SelectionError. */
export function readSelection(text: SelectionText, now: Date): DeadLetterFilter {
  for (const [name, part] of Object.entries(text)) if (typeof part === 'string') expectStorable(name, part);
  const filter: DeadLetterFilter = {};
  if (text.ids !== undefined && text.ids.length > 0) filter.ids = text.ids.map(idOf);
  if (text.reason) filter.reasons = list<DeadReason>('reason', text.reason, isReason, deadReasons);
  if (text.status)
    filter.statuses = list<DeadLetterStatus>('status', text.status, isStatus, deadLetterStatuses);
  if (text.code) filter.code = oneOf('code', text.code, CODES);
  if (text.key !== undefined) filter.key = text.key;
  if (text.customer) filter.customer = customerOf(text.customer);
  if (text.machine) filter.machine = text.machine;
  if (text.uniqueid) filter.uniqueid = text.uniqueid;
  if (text.since) filter.since = momentOf('since', text.since, now);
  if (text.until) filter.until = momentOf('until', text.until, now);
  return filter;
}

/** Throws SelectionError for text that no database row can hold: nothing is ever found or kept by it. */
export function expectStorable(name: string, text: string): void {
  if (!/\0|\p{Cs}/u.test(text)) return;
  throw new SelectionError(
    `${name}: expected text without NUL and halves of characters, got ${jsonText(text)}`,
  );
}

function idOf(text: string): string {
  if (/^\d{1,18}$/.test(text)) return text;
  throw new SelectionError(`id: expected a whole number, got ${JSON.stringify(text)}`);
}

function list<Item extends string>(
  name: string,
  text: string,
  is: (item: string) => item is Item,
  known: readonly string[],
): Item[] {
  return text.split(',').map((part) => {
    const item = part.trim();
    if (!is(item)) throw unknown(name, item, known);
    return item;
  });
}

function oneOf(name: string, text: string, known: readonly string[]): string {
  if (!known.includes(text)) throw unknown(name, text, known);
  return text;
}

function unknown(name: string, text: string, known: readonly string[]): SelectionError {
  return new SelectionError(`${name}: expected one of ${known.join(', ')}, got ${JSON.stringify(text)}`);
}

function customerOf(text: string): number {
  const id = Number(text);
  if (/^\d{1,10}$/.test(text) && id <= INTEGER_MAX) return id;
  throw new SelectionError(`customer: expected the ID of a customer, got ${JSON.stringify(text)}`);
}

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const ISO = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;

/** `2h` and `7d` are that long ago; a date or a time without a zone is UTC. Throws SelectionError. */
export function momentOf(name: string, text: string, now: Date): Date {
  const [, amount, unit] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  if (amount !== undefined && unit !== undefined)
    return new Date(now.getTime() - Number(amount) * UNITS[unit as keyof typeof UNITS]);
  const hasZone = /(Z|[+-]\d\d:\d\d)$/.test(text.slice(10)) || text.length === 10;
  const moment = new Date(ISO.test(text) ? `${text}${hasZone ? '' : 'Z'}` : Number.NaN);
  if (!Number.isNaN(moment.getTime())) return moment;
  throw new SelectionError(
    `${name}: expected 2h, 7d or an ISO 8601 time such as 2026-11-25T08:00:00Z, got ${JSON.stringify(text)}`,
  );
}

/** A whole number above 0; undefined where nothing is given. Throws SelectionError, as those below. */
export function countIn(name: string, text: string | null | undefined): number | undefined {
  if (!text) return undefined;
  const count = Number(text);
  if (/^\d{1,9}$/.test(text) && count > 0) return count;
  throw new SelectionError(`${name}: expected a whole number above 0, got ${JSON.stringify(text)}`);
}

/** Calls a second, such as `50/s`. */
export function rateIn(name: string, text: string | null | undefined): number | undefined {
  if (!text) return undefined;
  const rate = Number(/^(\d{1,6}(?:\.\d{1,3})?)(?:\/s)?$/.exec(text)?.[1]);
  if (rate > 0) return rate;
  throw new SelectionError(
    `${name}: expected calls a second above 0, such as 50/s, got ${JSON.stringify(text)}`,
  );
}

/** A percentage, such as `5%`. */
export function percentIn(name: string, text: string | null | undefined): number | undefined {
  if (!text) return undefined;
  const percent = Number(/^(\d{1,3}(?:\.\d{1,3})?)%?$/.exec(text)?.[1]);
  if (percent >= 0 && percent <= 100) return percent;
  throw new SelectionError(`${name}: expected a percentage, such as 5%, got ${JSON.stringify(text)}`);
}
