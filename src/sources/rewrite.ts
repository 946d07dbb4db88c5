import { colonAfter, endOfString, isJson } from '../domain/json-text.ts';
import { looksSecret } from '../domain/secrets.ts';
import { Failure } from './failure.ts';
import type { Feed } from './feed.ts';
import { formText } from './rows.ts';
import type { FeedSpec } from './schema.ts';

/** What stands in place of a value. `name` is '' for a text without one, of which nobody knows what it is. */
export type Change = (name: string, value: string) => string;

/**
 * A native record with other values, and everything else as it is written. What cannot be read is one text.
 *
 * In JSON a name is told to `change` only where it may be that of a secret, together with all that stands behind it.
 */
export function rewriteValues({ spec, read }: Feed, text: string, change: Change): string {
  if (spec.format === 'json') return isJson(text) ? rewriteJson(text, change) : change('', text);
  const record = read(text);
  if (record instanceof Failure) return change('', text);
  const columns = record as Readonly<Record<string, string>>;
  switch (spec.format) {
    case 'form':
      return rewriteForm(text, change);
    case 'csv':
      return rewriteCsv(text, columns, spec, change);
    case 'positional':
      return rewritePositional(text, columns, spec, change);
  }
}

function rewriteJson(text: string, change: Change): string {
  const parts: string[] = [];
  let from = 0;
  const put = (start: number, end: number, value: string) => {
    parts.push(text.slice(from, start), JSON.stringify(value));
    from = end;
  };
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at)) {
    const start = at;
    at = endOfString(text, start) + 1;
    const colon = colonAfter(text, at);
    const string = String(JSON.parse(text.slice(start, at)));
    if (colon < 0) {
      const changed = change('', string);
      if (changed !== string) put(start, at, changed);
    } else if (looksSecret(string)) {
      const value = startOfValue(text, colon + 1);
      const end = endOfValue(text, value);
      const written = text.slice(value, end);
      const given = written.startsWith('"') ? String(JSON.parse(written)) : written;
      const changed = change(string, given);
      if (changed === given) continue;
      put(value, end, changed);
      at = end;
    }
  }
  return parts.join('') + text.slice(from);
}

function startOfValue(text: string, from: number): number {
  let at = from;
  while (/\s/.test(text[at] ?? '')) at += 1;
  return at;
}

/** Where the value ends that begins here, in valid JSON. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (depth === 0 && at > start && /[,}\]\s]/.test(character)) return at;
    if (character === '"') at = endOfString(text, at);
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth === 0 && /["}\]]/.test(text[at] ?? '')) return at + 1;
  }
  return text.length;
}

function rewriteForm(text: string, change: Change): string {
  const decoded = (encoded: string) => {
    const read = formText(encoded);
    return typeof read === 'string' ? read : read.text;
  };
  return text
    .split(/([&;])/)
    .map((pair) => {
      const equals = pair.indexOf('=');
      if (equals < 0) return pair;
      const name = decoded(pair.slice(0, equals)).replace(/^\s*\?/, '');
      const value = decoded(pair.slice(equals + 1));
      const changed = change(name, value);
      return changed === value ? pair : `${pair.slice(0, equals + 1)}${encodeURIComponent(changed)}`;
    })
    .join('');
}

function rewriteCsv(
  text: string,
  record: Readonly<Record<string, string>>,
  { columns, separator, quote }: FeedSpec & { format: 'csv' },
  change: Change,
): string {
  const fields = columns.map((name) => record[name] ?? '');
  const changed = columns.map((name, index) => change(name, fields[index] ?? ''));
  if (changed.every((field, index) => field === fields[index])) return text;
  const written = changed.map((field) => {
    const isPlain = quote === '' || ![separator, quote, '\r', '\n'].some((each) => field.includes(each));
    return isPlain ? field : quote + field.replaceAll(quote, quote + quote) + quote;
  });
  return written.join(separator) + (/\r?\n?$/.exec(text)?.[0] ?? '');
}

function rewritePositional(
  text: string,
  record: Readonly<Record<string, string>>,
  { fields }: FeedSpec & { format: 'positional' },
  change: Change,
): string {
  let characters: string[] | undefined;
  for (const [name, place] of Object.entries(fields)) {
    const value = record[name] ?? '';
    const changed = change(name, value);
    if (changed === value) continue;
    characters ??= Array.from(text);
    const [from = 1, to = from] = place.split('-').map(Number);
    const width = to - from + 1;
    characters.splice(from - 1, width, ...Array.from(changed.padEnd(width)).slice(0, width));
  }
  return characters?.join('') ?? text;
}
