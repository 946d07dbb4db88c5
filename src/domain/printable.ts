/**
 * Characters that a terminal, a log viewer or a browser obeys or hides instead of showing them: controls (C0, DEL, C1),
 * format characters (bidirectional, zero-width, tags), line and paragraph separators, lone surrogates, letters and marks
 * that are blank, and code points reserved for hidden characters.
 */
const UNSAFE =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|\u034f|\u115f|\u1160|\u17b4|\u17b5|\u3164|\uffa0|\u2065|[\ufff0-\ufff8]|[\u{e0000}-\u{e00ff}]|[\u{e01f0}-\u{e0fff}]/gu;

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text from outside for display on one line: unsafe characters become escapes such as \u001b. Whatever is printed, logged
 * or shown goes through this function or `jsonText`.
 */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => NAMED[character] ?? escaped(character));
}

/** The same for text of several lines. */
export function printableLines(text: string): string {
  return text.replace(UNSAFE, (character) => (character === '\n' ? character : escaped(character)));
}

/** The JSON of a value, with unsafe characters escaped. */
export function jsonText(value: unknown, indent?: number): string {
  return safeJson(JSON.stringify(value, null, indent));
}

/** Escapes the unsafe characters in JSON text. Its value stays the same. */
export function safeJson(json: string): string {
  // JSON has line breaks and tabs between its strings, never in them.
  return json.replace(UNSAFE, (character) =>
    /[\n\r\t]/.test(character)
      ? character
      : Array.from({ length: character.length }, (_, index) => unit(character, index)).join(''),
  );
}

/** HTML with unsafe characters as character references, which a browser reads as the characters themselves. */
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
