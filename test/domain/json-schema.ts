/**
 * As much of JSON Schema as the message's schema uses, written down from the specification (draft 2020-12). It
 * throws on a keyword that it does not know, so that none is passed over.
 */
const ANNOTATIONS = new Set(['title', 'description', '$schema']);

type Check = (
  value: unknown,
  argument: unknown,
  schema: Record<string, unknown>,
  matches: Matches,
) => boolean;
/** Whether a pattern is found in a text. */
export type Matches = (pattern: string, text: string) => boolean;

const CHECKS: Record<string, Check> = {
  type: (value, types) => [types].flat().some((type) => isOfType(value, String(type))),
  const: (value, only) => value === only,
  enum: (value, all) => Array.isArray(all) && all.includes(value),
  anyOf: (value, all, _, matches) => Array.isArray(all) && all.some((each) => accepts(each, value, matches)),
  not: (value, schema, _, matches) => !accepts(schema, value, matches),
  minimum: (value, least) => typeof value !== 'number' || value >= Number(least),
  maximum: (value, most) => typeof value !== 'number' || value <= Number(most),
  minLength: (value, least) => typeof value !== 'string' || Array.from(value).length >= Number(least),
  maxLength: (value, most) => typeof value !== 'string' || Array.from(value).length <= Number(most),
  pattern: (value, source, _, matches) => typeof value !== 'string' || matches(String(source), value),
  required: (value, names) =>
    !isObject(value) || (Array.isArray(names) && names.every((name) => Object.hasOwn(value, name))),
  properties: (value, schemas, _, matches) =>
    !isObject(value) ||
    !isObject(schemas) ||
    Object.entries(value).every(
      ([name, each]) => !Object.hasOwn(schemas, name) || accepts(schemas[name], each, matches),
    ),
  additionalProperties: (value, more, schema) =>
    !isObject(value) ||
    more !== false ||
    Object.keys(value).every((name) => isObject(schema.properties) && Object.hasOwn(schema.properties, name)),
};

/** As ECMAScript finds it, which the specification names. */
const inEcmaScript: Matches = (pattern, text) => new RegExp(pattern, 'u').test(text);

/** Whether a schema accepts a value. */
export function accepts(schema: unknown, value: unknown, matches: Matches = inEcmaScript): boolean {
  if (!isObject(schema)) throw new Error('a schema is an object');
  return Object.entries(schema).every(([keyword, argument]) => {
    if (ANNOTATIONS.has(keyword)) return true;
    const check = Object.hasOwn(CHECKS, keyword) ? CHECKS[keyword] : undefined;
    if (check === undefined) throw new Error(`unknown keyword ${keyword}`);
    return check(value, argument, schema, matches);
  });
}

/** The patterns anywhere in a schema. */
export function patternsIn(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(patternsIn);
  if (!isObject(schema)) return [];
  const own = typeof schema.pattern === 'string' ? [schema.pattern] : [];
  return [...own, ...Object.values(schema).flatMap(patternsIn)];
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'object') return isObject(value);
  if (type === 'array') return Array.isArray(value);
  return ['string', 'number', 'boolean'].includes(type) && nameOf(value) === type;
}

function nameOf(value: unknown): string {
  return value === null ? 'null' : typeof value;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
