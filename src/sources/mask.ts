import { colonAfter, endOfString, isJson } from '../domain/json-text.ts';
import { MASK, maskNativeText } from '../domain/masking.ts';
import { looksSecret } from '../domain/secrets.ts';
import { Failure } from './failure.ts';
import type { Feed } from './feed.ts';
import { formText } from './rows.ts';
import type { FeedSpec } from './schema.ts';

/**
 * A native record without what may be a secret: values whose names are those of passwords, and passwords within other
 * values. Everything else stays as its switch wrote it.
 */
export function maskRecord({ spec, read }: Feed, text: string): string {
  if (spec.format === 'json') return isJson(text) ? maskJson(text) : maskNativeText(text);
  const record = read(text);
  if (record instanceof Failure) return maskNativeText(text);
  switch (spec.format) {
    case 'form':
      return maskForm(text);
    case 'csv':
      return maskCsv(text, record as Readonly<Record<string, string>>, spec);
    case 'positional':
      return maskPositional(text, record as Readonly<Record<string, string>>, spec);
  }
}

function maskValue(name: string, value: string): string {
  return value !== '' && looksSecret(name) ? MASK : maskNativeText(value);
}

const EMPTY = '""';

/** Valid JSON, whose blanks, numbers and repeated names stay as they are written. */
function maskJson(text: string): string {
  const parts: string[] = [];
  let from = 0;
  const replace = (start: number, end: number, value: string) => {
    parts.push(text.slice(from, start), JSON.stringify(value));
    from = end;
  };
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at)) {
    const end = endOfString(text, at) + 1;
    const colon = colonAfter(text, end);
    const string = String(JSON.parse(text.slice(at, end)));
    const start = at;
    at = end;
    if (colon < 0) {
      const masked = maskNativeText(string);
      if (masked !== string) replace(start, end, masked);
    } else if (looksSecret(string)) {
      const value = colon + 1 + (/^\s*/.exec(text.slice(colon + 1, colon + 100))?.[0].length ?? 0);
      at = endOfValue(text, value);
      if (text.slice(value, at) !== EMPTY) replace(value, at, MASK);
    }
  }
  return parts.join('') + text.slice(from);
}

/** Where the value ends that begins here, in valid JSON. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === '"') at = endOfString(text, at);
    else if (character === '{' || character === '[') depth += 1;
    else if (depth === 0 && /[,}\]\s]/.test(character) && at > start) return at;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth === 0 && /["}\]]/.test(text[at] ?? '')) return at + 1;
  }
  return text.length;
}

function maskForm(text: string): string {
  return text
    .split(/([&;])/)
    .map((pair, index) => {
      const equals = pair.indexOf('=');
      if (index % 2 === 1 || equals < 0) return pair;
      const [name, value] = [pair.slice(0, equals), pair.slice(equals + 1)].map((each) => {
        const read = formText(each);
        return typeof read === 'string' ? read : read.text;
      }) as [string, string];
      const masked = maskValue(name.replace(/^\s*\?/, ''), value);
      return masked === value ? pair : `${pair.slice(0, equals + 1)}${encodeURIComponent(masked)}`;
    })
    .join('');
}

function maskCsv(
  text: string,
  record: Readonly<Record<string, string>>,
  { columns, separator, quote }: FeedSpec & { format: 'csv' },
): string {
  const fields = columns.map((name) => record[name] ?? '');
  const masked = columns.map((name, index) => maskValue(name, fields[index] ?? ''));
  if (masked.every((field, index) => field === fields[index])) return text;
  const written = masked.map((field) => {
    const isPlain = quote === '' || ![separator, quote, '\r', '\n'].some((each) => field.includes(each));
    return isPlain ? field : quote + field.replaceAll(quote, quote + quote) + quote;
  });
  return written.join(separator) + (/\r?\n?$/.exec(text)?.[0] ?? '');
}

function maskPositional(
  text: string,
  record: Readonly<Record<string, string>>,
  { fields }: FeedSpec & { format: 'positional' },
): string {
  let characters: string[] | undefined;
  for (const [name, place] of Object.entries(fields)) {
    const value = record[name] ?? '';
    const masked = maskValue(name, value);
    if (masked === value) continue;
    characters ??= Array.from(text);
    const [from = 1, to = from] = place.split('-').map(Number);
    const width = to - from + 1;
    characters.splice(from - 1, width, ...Array.from(masked.padEnd(width)).slice(0, width));
  }
  return characters?.join('') ?? text;
}
