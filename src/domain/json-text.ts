/** What can be told of JSON text without parsing it. Brackets, commas and colons inside strings do not count. */

const QUOTE = 0x22;
/** JSON's white space is this character and some below it. */
const BLANK = 0x20;

/** The index of the quotation mark that closes the string opened at `start`, or the length of the text. */
export function endOfString(text: string, start: number, quote = '"'): number {
  let at = start + 1;
  while (at < text.length && text[at] !== quote) at += text[at] === '\\' ? 2 : 1;
  return Math.min(at, text.length);
}

/** The index of a colon that follows at `from`, after any white space; -1 if something else follows. */
export function colonAfter(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\r\n'.includes(text[at] ?? '')) at += 1;
  return text[at] === ':' ? at : -1;
}

/** Whether objects and arrays are nested more than `limit` deep. */
export function isNestedDeeperThan(limit: number, text: string): boolean {
  // Most bodies have no bracket besides their own, which is quick to see.
  if (text.indexOf('[') < 0 && text.indexOf('{', text.indexOf('{') + 1) < 0) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at);
    else if (character === '{' || character === '[') {
      depth += 1;
      if (depth > limit) return true;
    } else if (character === '}' || character === ']') depth -= 1;
  }
  return false;
}

/** Whether there are more than `limit` values: one more than commas. */
export function hasMoreValuesThan(limit: number, text: string): boolean {
  if (!hasMoreThan(limit - 1, ',', text)) return false;
  let count = 1;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at);
    else if (character === ',') {
      count += 1;
      if (count > limit) return true;
    }
  }
  return false;
}

/** Whether a character occurs more than `limit` times, anywhere. */
export function hasMoreThan(limit: number, character: string, text: string): boolean {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) {
    count += 1;
    if (count > limit) return true;
  }
  return false;
}

/**
 * How many names there are if every `":` ends one. An upper bound, since a string may contain that; NaN if white space
 * stands before a colon, which may end a name as well.
 */
export function countNames(text: string): number {
  let count = 0;
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) {
    const before = text.charCodeAt(at - 1);
    if (before === QUOTE) count += 1;
    else if (before <= BLANK) return Number.NaN;
  }
  return count;
}

/** The names that occur more than once in the outermost object of valid JSON text. */
export function repeatedNames(text: string): Set<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    else if (character === '"') {
      const end = endOfString(text, at);
      if (depth === 1 && colonAfter(text, end + 1) >= 0) {
        const name = String(JSON.parse(text.slice(at, end + 1)));
        if (seen.has(name)) repeated.add(name);
        seen.add(name);
      }
      at = end;
    }
  }
  return repeated;
}

/** Whether a text is JSON. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Deeper levels are not indented any further: a text must not grow by much. */
const INDENTED_LEVELS = 16;

/** Valid JSON with a line for each value. Numbers and repeated names stay as they are written. */
export function indented(text: string): string {
  let depth = 0;
  /** The token before was an opening bracket. */
  let isOpened = false;
  const line = () => `\n${'  '.repeat(Math.min(depth, INDENTED_LEVELS))}`;
  return text.replace(/"(?:[^"\\]|\\.)*"|[{}[\],:]|\s+|[^\s"{}[\],:]+/g, (token) => {
    if (token.trim() === '') return '';
    const wasOpened = isOpened;
    isOpened = token === '{' || token === '[';
    if (token === '}' || token === ']') {
      depth -= 1;
      return wasOpened ? token : line() + token;
    }
    const before = wasOpened ? line() : '';
    if (isOpened) depth += 1;
    if (token === ',') return token + line();
    return before + (token === ':' ? ': ' : token);
  });
}
