import type { NativeRecord } from './native.ts';

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_LIST = 91;
const BACKSLASH = 92;
const CLOSE_LIST = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/** What JSON forbids in texts: characters before the blank, and other escapes. */
const UNUSUAL = /[^ -\uffff]|\\(?!["\\/bfnrt]|u[\da-fA-F]{4})/;
const BARE = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;

/**
 * The wanted fields of one flat JSON object as switches write it: no blanks between tokens, and what is wanted is plain text.
 * Undefined for everything else, which `readJson` reads: it takes almost three times as long, for it makes a value of every
 * field. What both read is the same.
 *
 * Stops at nothing: each step moves on, so the time is linear in the length.
 */
export function readFlatJson(text: string, wanted: WantedNames): NativeRecord | undefined {
  if (text.charCodeAt(0) !== OPEN_OBJECT || UNUSUAL.test(text)) return undefined;
  const hasEscapes = text.includes('\\');
  const record: Record<string, string> = Object.create(null);
  for (let at = 0; ; ) {
    const start = at + 1;
    const end = endOfText(text, start, hasEscapes);
    if (end < 0 || text.charCodeAt(end) !== COLON) return undefined;
    const name = wanted.named(text, start + 1, end - 1);
    // An escaped name may be a wanted one.
    if (hasEscapes && text.slice(start, end).includes('\\')) return undefined;
    at = endOfValue(text, end + 1, hasEscapes);
    if (at < 0) return undefined;
    if (name !== undefined) {
      const value = text.slice(end + 2, at - 1);
      const before = record[name];
      const isPlain = text.charCodeAt(end + 1) === QUOTE && !(hasEscapes && value.includes('\\'));
      if (!isPlain || (before !== undefined && before !== value)) return undefined;
      record[name] = value;
    }
    const next = text.charCodeAt(at);
    if (next === CLOSE_OBJECT) return at === text.length - 1 ? record : undefined;
    if (next !== COMMA) return undefined;
  }
}

/** Names that are looked for in a text: most that stand there are none of them, and are told by their looks. */
export class WantedNames {
  readonly #names: ReadonlySet<string>;
  /** By length, first and last character. */
  readonly #looks: ReadonlySet<number>;

  constructor(names: Iterable<string>) {
    this.#names = new Set(names);
    this.#looks = new Set([...this.#names].map((name) => looksOf(name, 0, name.length)));
  }

  /** The wanted name that stands there, if any. */
  named(text: string, start: number, end: number): string | undefined {
    if (!this.#looks.has(looksOf(text, start, end))) return undefined;
    const name = text.slice(start, end);
    return this.#names.has(name) ? name : undefined;
  }
}

function looksOf(text: string, start: number, end: number): number {
  return end === start ? 0 : ((end - start) << 16) ^ (text.charCodeAt(start) << 8) ^ text.charCodeAt(end - 1);
}

/** Where a text, a list of texts, a number or a word ends; -1 for anything else. */
function endOfValue(text: string, start: number, hasEscapes: boolean): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return endOfText(text, start, hasEscapes);
  if (first === OPEN_LIST) {
    for (let at = start; ; ) {
      at = endOfText(text, at + 1, hasEscapes);
      if (at < 0) return -1;
      const next = text.charCodeAt(at);
      if (next === CLOSE_LIST) return at + 1;
      if (next !== COMMA) return -1;
    }
  }
  BARE.lastIndex = start;
  return BARE.test(text) ? BARE.lastIndex : -1;
}

/** Behind the closing quote of the text that begins here; -1 where none begins or it has no end. */
function endOfText(text: string, start: number, hasEscapes: boolean): number {
  if (text.charCodeAt(start) !== QUOTE) return -1;
  let close = text.indexOf('"', start + 1);
  if (hasEscapes) while (close > 0 && isEscaped(text, close)) close = text.indexOf('"', close + 1);
  return close < 0 ? -1 : close + 1;
}

/** An odd number of backslashes stands before it. */
function isEscaped(text: string, at: number): boolean {
  let before = at;
  while (text.charCodeAt(before - 1) === BACKSLASH) before -= 1;
  return (at - before) % 2 === 1;
}
