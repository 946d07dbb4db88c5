import { shown } from '../domain/text.ts';
import { unexpected } from './failure.ts';
import { type Civil, type Instant, instantOf, type TimeReader } from './times.ts';
import { offsetMs, type Zone } from './zones.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const OFFSET = '[Zz]|[+-]\\d\\d(?::?\\d\\d)?';

/** What stands for each letter of a pattern. Every piece has a bounded length, so that matching takes one pass. */
const PIECES: Readonly<Record<string, string>> = {
  yyyy: '(?<year>\\d{4})',
  MMM: `(?<name>${MONTHS.join('|')})`,
  MM: '(?<month>\\d\\d)',
  dd: '(?<day>\\d\\d)',
  d: '(?<day> ?\\d{1,2})',
  EEE: '[A-Z][a-z]{2}',
  HH: '(?<hour>\\d\\d)',
  mm: '(?<minute>\\d\\d)',
  ss: '(?<second>\\d\\d)',
  S: '(?<fraction>\\d{1,30})',
  XXX: `(?<offset>${OFFSET})`,
};
const TOKEN = /'[^']*'|yyyy|MMM|MM|dd|d|EEE|HH|mm|ss|S+|XXX|[^A-Za-z]/y;
const NEEDED = [/yyyy/, /MM/, /d/, /HH/, /mm/];

const ISO_SHAPE = `yyyy-MM-ddTHH:mm:ss`;
const ISO = new RegExp(
  `^(?<year>\\d{4})-(?<month>\\d\\d)-(?<day>\\d\\d)[Tt ](?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)` +
    `(?:[.,](?<fraction>\\d{1,30}))? ?(?<offset>${OFFSET})?$`,
);
const CTIME_PATTERN = 'EEE MMM d HH:mm:ss yyyy';

/** A pattern as the regular expression of its fixed pieces, or what is wrong with it. */
function compiled(pattern: string): RegExp | string {
  const pieces: string[] = [];
  const used = new Set<string>();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < pattern.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(pattern)?.[0];
    if (token === undefined)
      return `expected ${Object.keys(PIECES).join(', ')}, got ${shown(pattern.slice(at))}`;
    const name = token.startsWith('S') ? 'S' : token;
    const piece = PIECES[name];
    const group = /\?<(\w+)>/.exec(piece ?? '')?.[1];
    if (group !== undefined && used.has(group)) return `expected each part once, got ${token} again`;
    if (group !== undefined) used.add(group);
    pieces.push(piece ?? literal(token));
  }
  const lacking = NEEDED.some((part) => !part.test(pattern));
  return lacking ? 'expected at least yyyy, MM, dd, HH and mm' : new RegExp(`^${pieces.join('')}$`);
}

function literal(token: string): string {
  const text = token.startsWith("'") ? token.slice(1, -1) : token;
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** What is wrong with a pattern; undefined for a good one. */
export function patternProblem(pattern: string): string | undefined {
  const result = compiled(pattern);
  return typeof result === 'string' ? result : undefined;
}

/** Whether times of this pattern bring their own offset. */
export function hasOffset(pattern: string): boolean {
  return pattern.replaceAll(/'[^']*'/g, '').includes('XXX');
}

/** Times of a pattern, in `zone` where they bring no offset. */
export function patternReader(pattern: string, zone: Zone | undefined): TimeReader {
  const shape = compiled(pattern);
  if (typeof shape === 'string') return () => shape;
  return (text) => read(text, shape, zone, `a time such as ${pattern}`);
}

/** ISO 8601 and RFC 3339, with a T or a blank; in `zone` where there is no offset. */
export function isoReader(zone: Zone | undefined): TimeReader {
  return (text) => read(text, ISO, zone, `an ISO 8601 time such as ${ISO_SHAPE}`);
}

/** The form of C's ctime: Mon Sep 21 16:13:20 2026. */
export function ctimeReader(zone: Zone | undefined): TimeReader {
  return patternReader(CTIME_PATTERN, zone);
}

function read(text: string, shape: RegExp, zone: Zone | undefined, expected: string): Instant | string {
  const groups = shape.exec(text)?.groups;
  if (groups === undefined) return unexpected(expected, text);
  const { offset } = groups;
  const own = offset === undefined ? undefined : offsetMs(offset);
  if (offset !== undefined && own === undefined) return unexpected('an offset up to 15 hours', text);
  const place: Zone | undefined =
    own === undefined ? zone : { name: offset ?? '', instantsOf: (localMs) => [localMs - own] };
  if (place === undefined) return unexpected('a time with an offset, or a zone in the sources file', text);
  return instantOf(civilOf(groups), place, text);
}

function civilOf(groups: Readonly<Record<string, string | undefined>>): Civil {
  const { name } = groups;
  const number = (part: string): number => Number(groups[part] ?? 0);
  return {
    year: number('year'),
    month: name === undefined ? number('month') : MONTHS.indexOf(name) + 1,
    day: number('day'),
    hour: number('hour'),
    minute: number('minute'),
    second: number('second'),
    fraction: groups.fraction ?? '',
  };
}
