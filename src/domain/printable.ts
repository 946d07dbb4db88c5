/**
 * Characters that a terminal, a log viewer or a browser obeys or hides in place of showing: controls (C0, DEL, C1),
 * format characters (bidirectional ones, zero-width ones, tags), separators of lines and paragraphs, lone
 * surrogates, dead letters and marks that are blank, and code points that are reserved to be hidden.
 */
const UNSAFE =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|\u034f|\u115f|\u1160|\u17b4|\u17b5|\u3164|\uffa0|\u2065|[\ufff0-\ufff8]|[\u{e0000}-\u{e00ff}]|[\u{e01f0}-\u{e0fff}]/gu;

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text from outside as people may see it, on one line: what is unsafe stands there as its escape, such as \u001b.
 * Everything that is printed, logged or shown goes through this function or `jsonText`.
 */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => NAMED[character] ?? escaped(character));
}

/** The same for text of several lines. */
export function printableLines(text: string): string {
  return text.replace(UNSAFE, (character) => (character === '\n' ? character : escaped(character)));
}

/** JSON of exactly this value, in which no unsafe character stands as itself. */
export function jsonText(value: unknown, indent?: number): string {
  return safeJson(JSON.stringify(value, null, indent));
}

/** JSON made elsewhere, so that no unsafe character stands as itself. Its value stays the same. */
export function safeJson(json: string): string {
  // Line breaks and tabs of JSON stand between its strings, never in them.
  return json.replace(UNSAFE, (character) =>
    /[\n\r\t]/.test(character)
      ? character
      : Array.from({ length: character.length }, (_, index) => unit(character, index)).join(''),
  );
}

/** HTML in which unsafe characters stand as references: a browser reads them as they were. */
export function withReferences(markup: string): string {
  return markup.replace(UNSAFE, (character) =>
    /[\p{Cc}\p{Cs}]/u.test(character) ? escaped(character) : `&#x${character.codePointAt(0)?.toString(16)};`,
  );
}

function escaped(character: string): string {
  return character.length === 1 ? unit(character, 0) : `\\u{${character.codePointAt(0)?.toString(16)}}`;
}

function unit(text: string, index: number): string {
  return `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`;
}
