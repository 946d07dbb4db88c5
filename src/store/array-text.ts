const SPECIAL = /["\\]/;

/** What a list that is a value of a statement may hold. */
export type Item = string | number | boolean | null;

/**
 * A list as PostgreSQL writes it: `{1,2}`, `{"a","b",NULL}`. pg itself makes several texts of each item, which was 0.6 kB of
 * garbage a message (bench/NOTES.md).
 */
export function arrayText(list: readonly Item[]): string {
  return `{${list.map(itemText).join()}}`;
}

function itemText(item: Item): Item {
  if (item === null) return 'NULL';
  return typeof item === 'string' ? `"${escaped(item)}"` : item;
}

function escaped(text: string): string {
  return SPECIAL.test(text) ? text.replace(/["\\]/g, '\\$&') : text;
}
