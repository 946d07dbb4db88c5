/** The one name that differs by a single slip of the keyboard; null if there is none, or more than one. */
export function nearest(given: string, names: readonly string[]): string | null {
  const [first, second] = names.filter((name) => isOneSlip(given.toLowerCase(), name));
  return second === undefined ? (first ?? null) : null;
}

/** Another case, one character more, less or other, or two neighbours swapped. */
function isOneSlip(given: string, name: string): boolean {
  const shorter = Math.min(given.length, name.length);
  let start = 0;
  while (start < shorter && given[start] === name[start]) start += 1;
  let end = 0;
  while (end < shorter - start && given.at(-1 - end) === name.at(-1 - end)) end += 1;
  const [one, other] = [given.slice(start, given.length - end), name.slice(start, name.length - end)];
  const isSwapped = one.length === 2 && one[0] === other[1] && one[1] === other[0];
  return (one.length <= 1 && other.length <= 1) || (isSwapped && other.length === 2);
}
