import { MASK, maskNativeText } from '../domain/masking.ts';
import type { RecordEdits } from '../domain/record-replay.ts';
import { looksSecret } from '../domain/secrets.ts';
import { clean } from '../domain/text.ts';
import type { Feed } from './feed.ts';
import { type Mapped, mapRecord } from './map.ts';
import { type Change, rewriteValues } from './rewrite.ts';

/** Names whose part in a call is looked into one by one; a record with more of them is not from a switch. */
const NAMES_MAX = 20;

/**
 * A native record without what may be a secret: values whose names are those of passwords, and passwords within other
 * values. Everything else stays as its switch wrote it, and so does what the map makes a call of.
 *
 * @param mapped what the record becomes
 */
export function maskRecord(feed: Feed, text: string, mapped: Mapped): string {
  const names = new Set<string>();
  const masked = rewriteValues(feed, text, masking(new Set(), names));
  if (names.size === 0 || names.size > NAMES_MAX || isSameCall(mapped, mapRecord(feed, masked)))
    return masked;
  const others = (name: string) => new Set([...names].filter((each) => each !== name));
  const read = [...names].filter((name) => {
    const without = rewriteValues(feed, text, masking(others(name), new Set()));
    return !isSameCall(mapped, mapRecord(feed, without));
  });
  return rewriteValues(feed, text, masking(new Set(read), new Set()));
}

function masking(kept: ReadonlySet<string>, names: Set<string>): Change {
  return (name, value) => {
    if (value === '' || kept.has(name) || !looksSecret(name)) return maskNativeText(value);
    names.add(name);
    return MASK;
  };
}

/** What identifies is compared as it is; other texts as the contract stores them. */
const EXACT: ReadonlySet<string> = new Set(['uniqueid', 'machine', 'key']);

/** Whether two records become the same. */
export function isSameCall(one: Mapped, other: Mapped): boolean {
  const stored = (name: string, value: unknown) => {
    // The number of a feed that counts its records: JSON has no bigint, and throws.
    if (typeof value === 'bigint') return String(value);
    return typeof value === 'string' && !EXACT.has(name) ? clean(value) : value;
  };
  return JSON.stringify(one, stored) === JSON.stringify(other, stored);
}

const OTHER_MASK = '*-*';

/** The parameters that the map makes of a masked value, each once; '' where it is not of a parameter. */
export function maskedParameters(feed: Feed, text: string, edits: RecordEdits): string[] {
  const other = rewriteValues(feed, text, (name, value) =>
    value === MASK && looksSecret(name) ? OTHER_MASK : value,
  );
  if (other === text) return [];
  const [one, two] = [text, other].map((each) => valuesOf(mapRecord(feed, each, edits)));
  const names = new Set([...Object.keys(one ?? {}), ...Object.keys(two ?? {})]);
  return [...names].filter((name) => one?.[name] !== two?.[name]);
}

/** What the map says of each parameter, as text. */
function valuesOf(mapped: Mapped): Record<string, string> {
  if (mapped.kind === 'skip') return { '': mapped.value };
  const fields = Object.entries(mapped.fields).map(([name, value]) => [name, String(value)]);
  const rest =
    mapped.kind === 'call'
      ? mapped.lookups.map((each) => [each.parameter, JSON.stringify(each)])
      : mapped.errors.map(({ key, message }) => [key, message]);
  return Object.fromEntries([...fields, ...rest]);
}
