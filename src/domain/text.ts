import { NumberToken } from './json-number.ts';
import { printable } from './printable.ts';

/** The most code points of a caller's text; longer texts are cut (docs/interface.md, section 4). */
export const TEXT_MAX = 4096;

const REPLACEMENT = '\uFFFD';
const SUSPECT = /[\p{Cc}\p{Cs}]/u;
const EVERY_SUSPECT = /[\p{Cc}\p{Cs}]/gu;

/**
 * Makes text from callers fit for storage: control characters (C0, DEL, C1) and lone surrogates become U+FFFD, and text
 * longer than 4096 code points is cut. It is never refused, since a caller must not be able to make a call unbillable.
 * Clean text is returned as the same string.
 */
export function clean(text: string): string {
  const replaced = SUSPECT.test(text) ? text.replace(EVERY_SUSPECT, REPLACEMENT) : text;
  return cut(replaced, TEXT_MAX);
}

/** The first `length` code points. */
export function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  let at = 0;
  for (let points = 0; points < length && at < text.length; points += 1) {
    at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  }
  return text.slice(0, at);
}

/** A value as a refusal shows it: as JSON, shortened, and harmless to a terminal or a log. */
export function shown(value: unknown): string {
  if (value instanceof NumberToken) return shorten(value.text, 40);
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'string') return printable(JSON.stringify(shorten(clean(value), 40)));
  return String(value);
}

/** At most `length` code points; the last one is an ellipsis if something was cut off. */
export function shorten(text: string, length: number): string {
  const start = cut(text, length);
  return start.length === text.length ? text : `${cut(text, length - 1)}…`;
}
