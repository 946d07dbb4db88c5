import { operatorsOf } from './compile.ts';
import type { Feed } from './feed.ts';
import type { FeedSpec, ValueSpec } from './schema.ts';

/** How a feed makes uniqueids, as JSON. */
export type UniqueidRule = Readonly<Record<string, unknown>>;

/**
 * Everything in the file that decides which uniqueid a record gets: the value and where its fields stand. Two files in which
 * it is equal give the same record the same uniqueid, however they name columns or write paths.
 */
export function uniqueidRule({ spec }: Feed): UniqueidRule {
  const root = spec.format === 'json' && spec.root !== undefined ? { root: namesOf(spec.root) } : {};
  return { format: spec.format, ...root, ...valueRule(spec.call.uniqueid as ValueSpec, spec) };
}

/** A uniqueid is made of `from`, `join` and `constant` alone: other operators could make two calls one. */
function valueRule(value: ValueSpec, spec: FeedSpec): UniqueidRule {
  const { from, join, by = '/', constant } = operatorsOf(value);
  if (from !== undefined) return { from: placeOf(from, spec) };
  if (join === undefined) return { constant };
  return { join: join.map((part) => valueRule(part as ValueSpec, spec)), by };
}

/** Where a field stands: names in JSON and forms, a number or positions in a line. */
function placeOf(path: string | readonly string[], spec: FeedSpec): unknown {
  const column = typeof path === 'string' ? path : path.join('.');
  switch (spec.format) {
    case 'json':
      return namesOf(path);
    case 'form':
      return column;
    case 'csv':
      return spec.columns.indexOf(column);
    case 'positional':
      return spec.fields[column];
  }
}

function namesOf(path: string | readonly string[]): readonly string[] {
  return typeof path === 'string' ? path.split('.') : path;
}
