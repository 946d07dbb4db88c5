/**
 * The names that a misspelt one may have been meant to be, the most alike first: those that are a letter or two away, where two
 * letters that changed places are one.
 */
export function similarNames(given: string, names: readonly string[]): string[] {
  const most = given.length <= 4 ? 1 : 2;
  return names
    .map((name) => ({ name, distance: distanceOf(given.toLowerCase(), name) }))
    .filter(({ distance }) => distance <= most)
    .sort((one, other) => one.distance - other.distance)
    .map(({ name }) => name);
}

/** Changes of one letter, and exchanges of two neighbours, between two words; anything above 2 for words of other lengths. */
function distanceOf(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > 2) return 3;
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number) => rows[row]?.[column] ?? 0;
  for (let row = 1; row <= one.length; row += 1) {
    rows[row] = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const cost = one[row - 1] === other[column - 1] ? 0 : 1;
      const steps = [at(row - 1, column) + 1, at(row, column - 1) + 1, at(row - 1, column - 1) + cost];
      if (one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1])
        steps.push(at(row - 2, column - 2) + 1);
      rows[row]?.push(Math.min(...steps));
    }
  }
  return at(one.length, other.length);
}
