const SPECIAL = /["\\]/;

/**
 * A list of texts or of numbers as PostgreSQL writes it: `{1,2}`, `{"a","b"}`. pg itself makes several texts of each item, which
 * was 0.6 kB of garbage a message (bench/NOTES.md).
 */
export function arrayText(list: readonly string[] | readonly number[]): string {
  if (list.length === 0) return '{}';
  return areTexts(list) ? `{"${list.map(escaped).join('","')}"}` : `{${list.join()}}`;
}

function areTexts(list: readonly string[] | readonly number[]): list is readonly string[] {
  return typeof list[0] === 'string';
}

function escaped(text: string): string {
  return SPECIAL.test(text) ? text.replace(/["\\]/g, '\\$&') : text;
}
