import { isContractName } from './secrets.ts';

/** The names beyond the contract that switches may send (IGNORED_PARAMETERS). */
export type IgnoredNames = Pick<ReadonlySet<string>, 'has' | 'size'>;

/** @param patterns names; with * at the end, how names begin. Names of the contract are never among them. */
export function ignoredNames(patterns: readonly string[]): IgnoredNames {
  const names = new Set(patterns.filter((pattern) => !pattern.endsWith('*')));
  const beginnings = patterns
    .filter((pattern) => pattern.endsWith('*'))
    .map((pattern) => pattern.slice(0, -1));
  if (beginnings.length === 0) return names;
  return {
    size: patterns.length,
    has: (name) =>
      names.has(name) ||
      (!isContractName(name) && beginnings.some((beginning) => name.startsWith(beginning))),
  };
}
