import { Failure } from './failure.ts';
import { Ambiguous, Damaged, type NativeRecord } from './native.ts';
import { decoded } from './phone.ts';

/** What is no escape stands for itself. */
const BARE_PERCENT = /%(?![\da-f]{2})/gi;

/** A message with several lines has several records: all but the first would be lost without a trace. */
const SEVERAL_LINES = new Failure('wrong', 'the record has a line break');
const LINE_BREAK = /[\r\n]/;

/** name=value pairs split by & or ;, percent-encoded, + for a blank. Never throws. */
export function readForm(text: string): NativeRecord | Failure {
  const line = text.trim();
  if (LINE_BREAK.test(line)) return SEVERAL_LINES;
  const record: Record<string, unknown> = Object.create(null);
  for (const pair of line.replace(/^\?/, '').split(/[&;]/)) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = formText(equals < 0 ? pair : pair.slice(0, equals));
    const value = formText(equals < 0 ? '' : pair.slice(equals + 1));
    const key = typeof name === 'string' ? name : name.text;
    record[key] = key in record && !isSame(record[key], value) ? new Ambiguous() : value;
  }
  return record;
}

export function formText(encoded: string): string | Damaged {
  const spaced = encoded.replaceAll('+', ' ');
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced.replace(BARE_PERCENT, '%25'));
  } catch {
    return new Damaged(decoded(spaced));
  }
}

function isSame(one: unknown, other: unknown): boolean {
  return typeof one === 'string' && one === other;
}

/** How the fields of one CSV record are set apart. */
export interface CsvRules {
  columns: readonly string[];
  separator: string;
  quote: string;
}

/** What a record is that ends inside quotes: in a file, its next line may belong to it. */
export const OPEN_QUOTE = new Failure('wrong', 'the record has a quoted field without an end');

/**
 * One CSV record (RFC 4180; line breaks inside quotes). A record of another number of fields than there are columns
 * is refused: what is shifted by one would be read as something else.
 */
export function readCsv(text: string, { columns, separator, quote }: CsvRules): NativeRecord | Failure {
  const fields = csvFields(text.replace(/\r?\n?$/, ''), separator, quote);
  if (fields instanceof Failure) return fields;
  if (fields.length !== columns.length) {
    const message = `the record has ${fields.length} fields, expected ${columns.length} columns`;
    return new Failure('wrong', message);
  }
  const record: Record<string, unknown> = Object.create(null);
  for (const [index, name] of columns.entries()) record[name] = fields[index];
  return record;
}

function csvFields(text: string, separator: string, quote: string): string[] | Failure {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    let end: number;
    if (quote !== '' && text.startsWith(quote, at)) {
      const parts: string[] = [];
      let from = at + 1;
      for (;;) {
        const close = text.indexOf(quote, from);
        if (close < 0) return OPEN_QUOTE;
        parts.push(text.slice(from, close));
        from = close + 1;
        if (text[from] !== quote) break;
        from += 1;
      }
      fields.push(parts.join(quote));
      end = from;
      if (end < text.length && text[end] !== separator)
        return new Failure('wrong', 'the record has text after a quoted field');
    } else {
      const next = text.indexOf(separator, at);
      end = next < 0 ? text.length : next;
      fields.push(text.slice(at, end));
    }
    if (end >= text.length) return fields;
    at = end + 1;
  }
}

/** Where a field of a positional record stands: its first character, counted from 1, and how many it has. */
export type Positions = Readonly<Record<string, { from: number; length: number }>>;

/** A record of fixed positions; blanks around a field are padding. A record that is too short for a field is refused. */
export function readPositional(text: string, fields: Positions): NativeRecord | Failure {
  const line = text.replace(/\r?\n?$/, '');
  if (LINE_BREAK.test(line.trimEnd())) return SEVERAL_LINES;
  const characters = /[\ud800-\udfff]/.test(line) ? Array.from(line) : undefined;
  const length = characters?.length ?? line.length;
  const record: Record<string, unknown> = Object.create(null);
  for (const [name, { from, length: width }] of Object.entries(fields)) {
    if (length < from - 1 + width) {
      const message = `the record has ${length} characters, expected ${from - 1 + width} for field ${name}`;
      return new Failure('wrong', message);
    }
    const value =
      characters?.slice(from - 1, from - 1 + width).join('') ?? line.slice(from - 1, from - 1 + width);
    record[name] = value.trim();
  }
  return record;
}
